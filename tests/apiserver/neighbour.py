"""A revision that does well beside whatever goes wrong."""

from dataclasses import dataclass, field

from tests.apiserver.activator import Activator
from tests.apiserver.objects import Objects
from tests.apiserver.standins import World

SERVED_S = 1.0  # from the word of a request to the pods asked for, however busy others keep us
NAME = "neighbour-00001"


@dataclass
class Neighbour:
    """A revision at zero; its first request has its pod asked for at once."""

    cluster: Objects
    world: World
    activator: Activator
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.cluster.at_zero(NAME)

    def assert_served(self) -> None:
        """A request brings a pod at once, over the socket that there has been all along.

        It goes on to be reported, as an activator does until a pod takes it.
        """
        self.activator.in_flight[self.key] = 1.0
        self.world.run(self.activator.poke(self.key))
        assert self.cluster.wait_for_pods(NAME, 1) < SERVED_S
        assert self.activator.connections == 1
