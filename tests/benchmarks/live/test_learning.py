"""The learner of a live benchmark learns as it is asked to."""

from typer.testing import CliRunner

from autoscaler.cli.main import app
from benchmarks.live.learning import LEARNER, Learning, learning_objects


def test_steps_and_fits_are_the_last_word_of_the_learners_command() -> None:
    learning = Learning(step_s=5, refit="2m")
    made = learning_objects(learning, image="kn-ahead", prometheus_image="p", labels={})
    (deployment,) = (
        each for each in made if (each["kind"], each["metadata"]["name"]) == ("Deployment", LEARNER)
    )
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    last = {arg.partition("=")[0]: arg.partition("=")[2] for arg in args}
    assert (last["--step"], last["--refit"]) == ("5", "2m")
    assert str(learning) == "steps of 5 s, fits every 2m"


def test_a_step_that_is_shorter_than_from_scrape_to_scrape_is_refused() -> None:
    found = CliRunner().invoke(app, ["bench", "live", "--image", "i", "--step", "4"])
    assert found.exit_code == 2
    assert "allowed: whole numbers 5 to 3600" in " ".join(found.output.split())
