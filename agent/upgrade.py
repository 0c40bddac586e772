"""What changes a running gateway: a new firmware, a new configuration; trials, offers, keys.

Not here: the trial's rules (agent/trial.py) and the fetch (agent/update.py): both are loaded only
when there is a trial or an offer, because a gateway at rest has no memory to spare for them.
"""

from agent.meter import WAITING
from agent.orders import TRIED, CannotDo

KEYS = "keys"  # the slot of agent/store.Files with one or two release keys
_KEYS_BYTES = 768
_KEY = 384
_CALM_S = 600
_TURN_S = 60  # what is due is asked within
_HEARD_S = 7200  # nobody waits longer for a meter that has not been heard
_NEXT_AT = 192  # of a bundle: the next release key


class Upgrade:
    """app: agent/app.App. slots: agent/slots.Slots. key: the gateway's 32 bytes or b"".

    settings: agent/settings.Settings, of the configuration that runs
    """

    def __init__(self, app, slots, key, ground, settings):
        self._app = app
        self._slots = slots
        self._settings = settings
        self._key = key
        self._ground = ground
        self._updater = None
        self._reconfigure = None
        self._trial = None
        self._second = 0
        self._began_s = 0

    def start(self, cause, first):
        """Say what boot.py noted, begin the trial, go on with a fetch; first: this life's seq."""
        slots = self._slots
        self._began_s = self._app.clock.uptime_ms // 1000
        for pair in (slots, self._settings):
            if pair.state[5] or pair.is_on_trial:
                from agent.trial import Trial, tell

                tell(pair, self._app.note_event)
            if pair.is_on_trial and self._trial is None:  # a firmware first, then a configuration
                keep = self._rotate if pair is slots else _nothing
                note = self._app.note_event
                self._trial = Trial(pair, cause, first, self._app.config["update"], note, keep)
        if self._trial:
            return
        # Only what is newer is worth the memory and the time of a signature check.
        if self._key and slots.is_newer:
            if not self._load().resume():
                self._updater = None

    @property
    def is_busy(self):
        """Tell whether the next step has work that waits for nobody."""
        return self._updater is not None and self._updater.is_busy

    @property
    def is_fetching(self):
        """Tell whether a firmware is on its way."""
        return self._updater is not None and not self._updater.is_idle

    @property
    def tries_settings(self):
        """Tell whether a configuration is on trial."""
        return self._settings.is_on_trial

    def pause(self):
        """Judge a trial, and keep the time it has spent: the gateway falls asleep. As step()."""
        if not self._trial:
            return False
        is_bad = self._judge(self._app.clock.uptime_ms // 1000)
        if self._trial:
            self._trial.save()
        return is_bad

    def step(self, now_ms):
        """Do what is due; tell whether the gateway should restart."""
        if self._updater and not self._updater.is_idle:
            was_ready = self._updater.is_ready
            self._updater.step(now_ms)
            if self._updater.is_idle:
                self._app.note_event("update_failed", self._updater.why)
            is_ready = self._updater.is_ready and not was_ready
            if is_ready:
                self._note_tried(self._updater.id)
            return is_ready
        second = self._app.clock.uptime_ms // 1000
        state = self._slots.state
        if state[3] and second > _CALM_S and state[0] == self._slots.own:
            self._forgive(state)
        if self._trial and second != self._second:
            self._second = second
            return self._judge(second)
        return False

    def _judge(self, second):
        """Let the trial decide; true: the old one is to be started now. Awake time counts."""
        app = self._app
        run_s, errors = (app.sleep.run_s, app.sleep.errors) if app.sleep else (0, 0)
        awake_s = second - self._began_s
        errors += app.log.errors
        if self._trial.step(awake_s, app.journal.acked, errors, self._answering(), run_s):
            self._trial = None  # decided, once
            return True
        if self._trial.is_over:
            self._trial = None
        return False

    def _forgive(self, state):
        """Forget the failed starts of a firmware that has run long since."""
        try:
            self._slots.write(state[:3] + [0] + state[4:])
        except OSError:
            state[3] = 0  # not again in this life

    def order(self, args):
        """Do the command `update`. Raises CannotDo."""
        text = args.get("offer")
        try:
            offer = bytes.fromhex(text)
        except (ValueError, TypeError):
            raise CannotDo("offer: is not hexadecimal")
        if self._settings.is_on_trial:
            raise CannotDo("a configuration is on trial")
        answer = self._load().offer(offer)
        self._app.note_event("update_offered", answer["version"])
        return answer

    def offered(self, offer):
        """Begin to fetch what a web server offers; what can never run is noted, and said once."""
        if self._settings.is_on_trial or self._slots.is_on_trial or self.is_fetching:
            return
        updater = self._load()
        try:
            updater.check(offer)
        except CannotDo as error:
            self._note_tried(offer[52:56])
            self._app.note_event("update_refused", str(error))
            return
        try:
            self._app.note_event("update_offered", updater.offer(offer)["version"])
        except CannotDo as error:
            self._app.note_event("update_refused", str(error))

    def _note_tried(self, number):
        try:
            self._ground.begin(TRIED, len(number))
            self._ground.put(number, 0, len(number))
            self._ground.commit()
        except OSError:
            pass  # it is looked at once more

    def configure(self, args):
        """Do the command `configure`. Raises CannotDo."""
        for pair in (self._slots, self._settings):
            if pair.is_on_trial:
                raise CannotDo("a trial is under way: %s" % pair.WHAT)
        if self._reconfigure is None:
            from agent.reconfigure import Reconfigure

            self._reconfigure = Reconfigure(self._app, self._settings)
        answer = self._reconfigure.order(args)
        if "trial" in answer:
            self._app.orders.restart(self._app.now_ms)
        return answer

    def ask_maintenance(self, minutes):
        """Let the next start run nothing for so long: a cable is waited for. Raises CannotDo."""
        try:
            self._slots.ask_maintenance(minutes)
        except OSError as error:
            raise CannotDo("it cannot be noted: %s" % error)

    def take(self, data, now_ms):
        """Take a piece of a firmware; nobody waits for one: it is dropped."""
        if self._updater:
            self._updater.take(data, now_ms)

    def report(self):
        """Return what `state` says, None when there is nothing to say."""
        if self._updater:
            return self._updater.report()
        if self._trial:
            return {"trial": self._trial.missing, "of": self._trial.what}
        return None

    def _known_answering(self):
        """Return how many meters answer, None while one may do so for the first time."""
        app = self._app
        waits_s = [m.config["interval_s"] for m in app.meters if m.state == WAITING]
        if waits_s and not app.sleep:  # which reads all of them when it wakes
            if app.clock.uptime_ms < 1000 * min(max(waits_s) + _TURN_S, _HEARD_S):
                return None
        return self._answering()

    def _answering(self):
        return sum([1 for m in self._app.meters if m.answers and not m.failures])

    def _load(self):
        if self._updater is None:
            from agent.update import Updater

            name = self._app.identity["gateway"]
            self._updater = Updater(
                self._slots,
                self._keys(),
                self._app.identity["board"],
                self,
                b"chunk" + name.encode(),
                self._app.uplink.publish_want,
                self._known_answering,
            )
        return self._updater

    def check(self, context, data, start, end):
        """Tell whether a piece ends with its tag, under the key that is good now."""
        return self._app.keys.check(context, data, start, end)

    def _keys(self):
        data = bytearray(_KEYS_BYTES)
        try:
            length = self._ground.load(KEYS, data)
        except OSError:
            length = 0
        return bytes(data[: length - length % _KEY])

    def _rotate(self):
        """Keep what the confirmed firmware says of keys: add its next one, drop an older one."""
        from agent.update import OFFER_BYTES

        keys = self._keys()
        offer = self._slots.read(self._slots.running, 0, OFFER_BYTES)
        new = keys
        if len(keys) > _KEY and self._key and self._load().signer(offer) == 2:
            new = keys[_KEY:]
        following = offer[_NEXT_AT : _NEXT_AT + _KEY]
        if following != bytes(_KEY) and following not in (new[:_KEY], new[_KEY:]):
            new = new[:_KEY] + following
        if new != keys:
            self._ground.begin(KEYS, len(new))
            self._ground.put(new, 0, len(new))
            self._ground.commit()
        self._updater = None


def _nothing():
    """Nothing is to be kept beside what a trial itself keeps."""
