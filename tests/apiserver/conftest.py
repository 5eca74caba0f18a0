"""A real API server with stand-ins beside it, and kn-ahead in the place of Knative's autoscaler:
processes of their own, under the ServiceAccounts and rules of their own manifest. `make
test-cluster` gets the programs.
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.apiserver.activator import Activator, connected
from tests.apiserver.history import Scales
from tests.apiserver.install import add_activator, install
from tests.apiserver.neighbour import Neighbour
from tests.apiserver.objects import ADVISOR, AUTOSCALING, CONTROLLER, QUICK, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.apiserver.processes import Advisor, Controller, Surroundings
from tests.apiserver.standins import World

StartController = Callable[..., Controller]
StartAdvisor = Callable[..., Advisor]


def pytest_configure(config: pytest.Config) -> None:
    """A process or a connection that a test cuts off leaves its own ends open: that is the test."""
    # For the session and not for each test: such ends may be collected after the last one.
    for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{kind}")


# --- the cluster, for all tests -------------------------------------------------------------------


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane, up for all tests."""
    made = ControlPlane(tmp_path_factory.mktemp("plane") / "run")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def admin(plane: ControlPlane) -> Objects:
    """The cluster as its administrator finds it."""
    objects = install(plane)
    wait_until(lambda: _has_account(objects), 30, "the namespace's ServiceAccount")
    add_activator(objects)
    return objects


def _has_account(objects: Objects) -> bool:
    try:
        objects.core.read_namespaced_service_account("default", SYSTEM)
    except client.ApiException:
        return False
    return True


@pytest.fixture(scope="session")
def world(plane: ControlPlane, admin: Objects) -> Iterator[World]:
    """The stand-ins."""
    made = World(plane.kubeconfig("admin", plane.token))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def token(admin: Objects) -> str:
    """Of the controller's ServiceAccount, as its pod gets it."""
    return admin.token(CONTROLLER)


@pytest.fixture(scope="session")
def advisor_token(admin: Objects) -> str:
    """Of the advisor's, as it lies in the Secret of the manifest."""

    def data() -> dict[str, Any]:
        return dict(admin.core.read_namespaced_secret(ADVISOR, SYSTEM).data or {})

    wait_until(lambda: "token" in data(), 30, "the advisor's token")
    return base64.b64decode(data()["token"]).decode()


# --- a namespace for a test -----------------------------------------------------------------------

_numbers = iter(range(1, 10_000))


@pytest.fixture
def cluster(admin: Objects, world: World) -> Iterator[Objects]:
    """A namespace of the test's own."""
    admin.configure("config-autoscaler", QUICK)
    yield from _namespace(admin, world)


@pytest.fixture
def other_namespace(admin: Objects, world: World) -> Iterator[Objects]:
    """A second one."""
    yield from _namespace(admin, world)


def _namespace(admin: Objects, world: World) -> Iterator[Objects]:
    name = f"test-{next(_numbers)}"
    admin.core.create_namespace({"metadata": {"name": name}})
    yield Objects(admin.api, name)
    for key in [key for key in world.loads if key.startswith(f"{name}/")]:
        del world.loads[key]
    # At once, as the namespace takes seconds to go: the next test's controller would act on them.
    admin.custom.delete_collection_namespaced_custom_object(
        AUTOSCALING, "v1alpha1", name, "podautoscalers"
    )
    admin.core.delete_namespace(name)


@pytest.fixture
def scales(world: World) -> Iterator[Scales]:
    """Every number of pods that is asked for while the test runs."""
    made = Scales(world)
    yield made
    made.stop()


# --- our processes --------------------------------------------------------------------------------


@pytest.fixture
def start_controller(
    plane: ControlPlane, world: World, token: str, tmp_path: Path
) -> Iterator[StartController]:
    """Starts controllers; ends them with the test, and shows what they said where it fails."""
    where = Surroundings(
        plane=plane, account=CONTROLLER, token=token, router_port=world.router_port
    )
    made: list[Controller] = []

    def start(*args: str, begin: bool = True, **options: Any) -> Controller:
        controller = Controller(where, tmp_path / f"kn-ahead-{len(made)}")
        made.append(controller)
        return controller.start(*args, **options) if begin else controller

    yield start
    for controller in made:
        controller.stop()
        print(controller.log[-8000:])


@pytest.fixture
def start_advisor(plane: ControlPlane, advisor_token: str) -> Iterator[StartAdvisor]:
    """Starts an advisor beside a controller; ends it with the test."""
    where = Surroundings(plane=plane, account=ADVISOR, token=advisor_token)
    made: list[Advisor] = []

    def start(beside: Controller, *args: str, begin: bool = True, **options: Any) -> Advisor:
        advisor = Advisor(where, beside)
        made.append(advisor)
        return advisor.start(*args, **options) if begin else advisor

    yield start
    for advisor in made:
        advisor.stop()
        print(advisor.log[-8000:])


@pytest.fixture
def controller(start_controller: StartController) -> Controller:
    """The controller, with nobody beside it."""
    return start_controller()


@pytest.fixture
def activator(controller: Controller, world: World) -> Iterator[Activator]:
    """An activator that is connected to it."""
    with connected(world, controller.port) as made:
        yield made


@pytest.fixture
def other_activator(controller: Controller, world: World) -> Iterator[Activator]:
    """A second one."""
    with connected(world, controller.port) as made:
        yield made


@pytest.fixture
def neighbour(cluster: Objects, world: World, activator: Activator) -> Neighbour:
    """Who must not notice what goes wrong beside it."""
    return Neighbour(cluster, world, activator)
