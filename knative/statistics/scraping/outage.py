"""An outage of scraping: no pod of any revision answers.

Its cause is then not a pod but the network: a network policy, a service mesh or another port.
"""

OUTAGE_S = 10.0  # s without any answer; pods take less to terminate


class Outage:
    """Detects an outage from the outcome of every scrape; reads no clock."""

    def __init__(self) -> None:
        self._since_s: float | None = None  # of the first failed scrape since one succeeded
        self.fault = ""  # "" = there is no outage

    def succeeded(self) -> None:
        """A scrape was answered, or there is nothing to scrape."""
        self._since_s, self.fault = None, ""

    def failed(self, key: str, now: float) -> None:
        """A scrape of a revision with ready pods failed. now: s of any clock."""
        if self._since_s is None:
            self._since_s = now
        if now - self._since_s >= OUTAGE_S:
            self.fault = (
                f"no pod of any revision answers, {key} among them; "
                "deciding on what activators report"
            )
