"""What the local page can do, one job at a time in a thread: the verbs' own functions underneath.

    work = Work(folder)
    work.start("deploy", lambda tell: ...)      # false while another job runs
    work.share, work.words, work.lines, work.problem

Not here: buttons and languages (page/desk.py).
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools import acceptance
from host_tools.acceptance import paper
from host_tools.cable import provision
from host_tools.cable.deploy import deploy
from host_tools.desk.wires import line_text
from host_tools.packing import bundle
from host_tools.planning.site_file import read_site
from host_tools.problems import NETWORK, OK, Problem
from host_tools.remote import listener
from host_tools.remote.monitor import Picture
from host_tools.sheets import sheet
from host_tools.trust import ca, claim

Tell = Callable[[float, str], None]
Job = Callable[[Tell], None]
_KEPT = 200


class _Stopped(Exception):
    """A person has ended the search."""


class Work:
    """The one job that runs, and what it has said. Usable from any thread."""

    def __init__(self, folder: Path) -> None:
        """folder: where claims and reports are written."""
        self.folder = folder
        self.name = ""  # of the job that runs, or ran last
        self.share = 0.0
        self.words = ""
        self.lines: list[str] = []  # a log, the newest last
        self.problem: Problem | None = None
        self.report: acceptance.Report | None = None
        self.files: list[Path] = []  # made by the last job
        self.hits: list[dict[str, Any]] = []  # meters that a scan has found
        self.picture = Picture()  # live values, as the broker shows them
        self.stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, name: str, job: Job) -> bool:
        """Begin a job; false, and nothing happens, while another one runs."""
        if self.is_busy:
            return False
        self.name, self.share, self.words, self.problem = name, 0.0, "", None
        self.lines, self.files = [], []
        self.stop.clear()
        self._thread = threading.Thread(target=self._run, args=(job,), name=name, daemon=True)
        self._thread.start()
        return True

    def wait(self, seconds: float) -> None:
        """Wait until the job has ended."""
        if self._thread:
            self._thread.join(seconds)

    def say(self, line: str) -> None:
        """Add a line to the log."""
        self.lines = [*self.lines[-_KEPT:], line]

    def _tell(self, share: float, words: str) -> None:
        self.share, self.words = share, words

    def _run(self, job: Job) -> None:
        try:
            job(self._tell)
            self._tell(1.0, "done")
        except Problem as problem:
            self.problem = problem
            self._tell(self.share, "failed")

    # --- the jobs

    def flash(self, port: str, board: str) -> bool:
        """Put MicroPython on a board, from the images on this computer."""

        def job(tell: Tell) -> None:
            from host_tools.flashing.flash import Job as FlashJob
            from host_tools.flashing.flash import flash
            from host_tools.flashing.images import Images

            images = Images()
            chosen = FlashJob(port, board, images.find(board))
            (result,) = flash([chosen], images, lambda _, share, words: tell(share, words))
            if result.code != OK:
                raise Problem(result.what, result.remedy, code=result.code)
            self.say(f"{result.image}")

        return self.start("flash", job)

    def deploy(self, port: str, data: bytes) -> bool:
        """Put a bundle on a board."""

        def job(tell: Tell) -> None:
            (result,) = deploy([port], data, lambda _, share, words: tell(share, words))
            if result.code != OK:
                raise Problem(result.what, result.remedy, code=result.code)
            self.say(f"{bundle.read(data).version}: {', '.join(result.changed) or '-'}")

        return self.start("deploy", job)

    def provision(
        self, port: str, site: Path, gateway: str, secrets: dict[str, str], passphrase: str
    ) -> bool:
        """Make a gateway of a board; with this computer's authority, if it has one."""

        def job(tell: Tell) -> None:
            plan = provision.plan_for(read_site(site), gateway)
            plan.secrets |= {path: value for path, value in secrets.items() if value}
            folder = ca.default_folder()
            papers = provision.Papers()
            if (folder / "ca.pem").exists():
                papers.authority = ca.der(ca.public(folder))
                papers.office = claim.public_seal(folder / "seal.pub")
                if plan.config.get("uplink", {}).get("tls"):
                    papers.sign = ca.load(folder, passphrase).sign_request
            result = provision.provision(
                port, plan, papers, claims=self.folder, tell=lambda words: tell(0.5, words)
            )
            self.say(f"{result.gateway}, {result.serial}, {result.claim}")
            self.files = [Path(result.claim_file)] if result.claim_file else []

        return self.start("provision", job)

    def scan(self, port: str, board: str, units: list[int]) -> bool:
        """Look for meters through the gateway's own line; stop ends it."""

        def job(tell: Tell) -> None:
            from drivers.errors import LinkDown
            from host_tools.desk.scan import SETTINGS, Scan
            from host_tools.desk.through import open_through

            self.hits = []
            wire = open_through(port, SETTINGS[0][0], board=board)
            scan = Scan(wire, SETTINGS, units, on_progress=lambda at: self._searched(tell, at))
            try:
                for hit in scan.run():
                    self.hits = [*self.hits, hit.as_dict()]
            except _Stopped:
                self.say(f"{len(self.hits)}")
            except LinkDown as error:
                raise Problem(str(error), "look at the cable, and scan again") from None
            finally:
                wire.close()

        return self.start("scan", job)

    def _searched(self, tell: Tell, at: Any) -> None:
        tell(at.done / max(at.done + at.left, 1), f"{line_text(at.line)} {at.unit}")
        if self.stop.is_set():
            raise _Stopped

    def watch(self, port: str) -> bool:
        """Follow what a gateway says on its cable, until stop is set."""

        def job(tell: Tell) -> None:
            from host_tools.cable.console import lines, open_console
            from host_tools.cable.ports import choose

            tell(0.0, "listening")
            with open_console(choose(port)) as cable:
                for line in lines(cable, self.stop.is_set):
                    self.say(line)

        return self.start("watch", job)

    def values(self, site: Path, gateway: str, passphrase: str) -> bool:
        """Follow a gateway's live values through its broker, until stop is set."""

        def job(tell: Tell) -> None:
            plan = provision.plan_for(read_site(site), gateway)
            host, number = listener.address(plan)
            self.picture = picture = Picture()
            tell(0.0, "listening")
            try:
                close = _listen(plan, passphrase)(
                    plan.gateway, host, number, lambda topic, data, _: picture.take(topic, data)
                )
            except (OSError, ValueError) as error:
                raise Problem(
                    f"no broker at {host}:{number} from here: {error}",
                    "it is uplink.host and uplink.port of the site file",
                    code=NETWORK,
                ) from None
            self.stop.wait()
            close()

        return self.start("values", job)

    def accept(
        self,
        port: str,
        site: Path,
        gateway: str,
        technician: str,
        passphrase: str,
        *,
        without_uplink: bool = False,
        reads: int = 5,
    ) -> bool:
        """Test a gateway; its report is in `report`, PDF and JSON in `files`."""

        def job(tell: Tell) -> None:
            from host_tools import home

            plan = provision.plan_for(read_site(site), gateway)
            sheet()  # what is missing is said before the test, not after it
            key = paper.key_at(home.folder() / "technician.pem", passphrase)
            options = acceptance.Options(reads=reads, without_uplink=without_uplink)
            options.listen = _listen(plan, passphrase)
            report = acceptance.run(port, plan, options, tell)
            report.technician = technician
            self.report = report
            self.files = paper.write(report, key, self.folder)

        return self.start("accept", job)


def _listen(plan: provision.Plan, passphrase: str) -> listener.Listen:
    if listener.is_ours(plan, ca.default_folder()):
        return listener.as_visitor(ca.default_folder(), passphrase)
    return listener.listen
