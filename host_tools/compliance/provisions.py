"""The provisions, in our own words, each with how it is met and the tests that show it.

Sources: ETSI EN 303 645 V3.1.3 (2024-09); EN 18031-1:2024 and EN 18031-2:2024; Regulation (EU)
2024/2847 (Cyber Resilience Act), Annex I; Regulation (EU) 2016/679 (GDPR) with the CNIL's pack on
communicating meters (2014) and Code de l'énergie R341-4 and D341-21 (load curves).

The numbers are the documents'; their text is not copied. `proofs` are tests of this project: a
file of tests/, or one test in it. `beyond` is what no firmware can do alone: the maker's, the
operator's, or the board's part. A row without proofs rests on its `beyond`.
"""

from typing import NamedTuple


class Provision(NamedTuple):
    """One requirement: its number, what it asks, our answer, what shows it, who does the rest."""

    number: str
    asks: str
    how: str
    proofs: tuple[str, ...] = ()
    beyond: str = ""


STANDARDS: dict[str, tuple[Provision, ...]] = {
    "ETSI EN 303 645": (
        Provision(
            "5.1-1",
            "No password that several devices share",
            "There is no password and no login on a gateway: keys are drawn for each one.",
            ("host/test_compliance.py::test_gateways_share_no_secret",),
        ),
        Provision(
            "5.1-2",
            "Secrets set at the factory are not guessable from each other",
            "Drawn on the gateway: 256 bits of the chip's entropy and the computer's.",
            ("host/test_compliance.py::test_gateways_share_no_secret",),
        ),
        Provision(
            "5.1-3",
            "Authentication by methods of good practice",
            "TLS with certificates on both sides; commands and acknowledgements by HMAC-SHA-256.",
            (
                "host/test_uplink_tls.py::test_nats_with_mutual_certificates",
                "unit/test_commands.py::test_every_flipped_bit_is_a_forgery_without_an_answer",
            ),
        ),
        Provision(
            "5.1-4",
            "What authenticates can be changed simply",
            "Certificates by command, on trial until the collector acknowledges under them.",
            ("unit/test_certificates.py",),
        ),
        Provision(
            "5.1-5",
            "Guessing over the network is not practicable",
            "The gateway listens on no port; a forged command gets no answer.",
            (
                "emulated/test_demo.py::test_the_gateway_listens_on_no_port",
                "unit/test_commands.py::test_every_flipped_bit_is_a_forgery_without_an_answer",
                "host/test_collect_pages.py::test_guessing_is_slow",
            ),
        ),
        Provision(
            "5.2-1",
            "A published way to report weaknesses",
            "SECURITY.md says where, how fast, and what happens then.",
            ("host/test_compliance.py::test_the_security_policy_answers_what_is_asked_of_it",),
        ),
        Provision(
            "5.2-2",
            "Reported weaknesses are acted on in time",
            "SECURITY.md commits to times; a signed update reaches a fleet over the air.",
            ("emulated/test_update.py",),
            "The people who answer.",
        ),
        Provision(
            "5.2-3",
            "Weaknesses are watched for",
            "`make compliance` lists the components (CycloneDX) to compare with advisories.",
            ("host/test_compliance.py::test_the_list_of_components_is_whole_and_valid",),
            "The comparison, and the people who do it.",
        ),
        Provision(
            "5.3-1",
            "All software can be updated",
            "Everything but boot.py and MicroPython's image is in a slot; those by cable.",
            ("emulated/test_update.py", "host/test_flash.py"),
        ),
        Provision(
            "5.3-2",
            "Updates install safely",
            "Signed, hashed after it was written, tried, confirmed or rolled back; cuts anywhere.",
            ("host/test_update_cuts.py", "unit/test_trial.py", "unit/test_boot.py"),
        ),
        Provision(
            "5.3-3",
            "Updating is simple",
            "One command of the operator; nobody goes to the gateway.",
            ("emulated/test_update.py::test_an_update_is_fetched_tried_confirmed_and_a_delta",),
        ),
        Provision(
            "5.3-7",
            "Update cryptography of good practice",
            "RSA-3072-PSS over SHA-256, checked before a byte is fetched.",
            ("unit/test_update.py::test_a_signature_made_elsewhere_is_checked_bit_by_bit",),
        ),
        Provision(
            "5.3-8",
            "Security updates come in time",
            "The mechanism is there.",
            (),
            "The maker's support, SECURITY.md.",
        ),
        Provision(
            "5.3-9, -10",
            "Authenticity and integrity of each update are verified, by a trust relationship",
            "The public key is on the gateway; counters bar older firmware.",
            ("host/test_forge.py", "unit/test_update.py"),
        ),
        Provision(
            "5.3-13",
            "The support period is published",
            "SECURITY.md names it.",
            ("host/test_compliance.py::test_the_security_policy_answers_what_is_asked_of_it",),
        ),
        Provision(
            "5.3-16",
            "The model can be recognised",
            "Board, firmware version and runtime are in each birth and on the pages.",
            ("host/test_collect_pages.py::test_the_fleet_shows_every_gateway_and_what_is_wrong",),
            "A label on the case.",
        ),
        Provision(
            "5.4-1",
            "Secrets are stored securely",
            "Files on the gateway's flash, never in logs, health or the command's output.",
            ("host/test_compliance.py::test_no_secret_leaves_the_gateway",),
            "Encryption at rest is the chip's: ESP32 flash and NVS encryption; an RP2040 has none,"
            " so that who opens its case reads its keys, and no other gateway's.",
        ),
        Provision(
            "5.4-3",
            "No secret in the source code",
            "Keys are made when a gateway is provisioned.",
            (
                "host/test_compliance.py::test_no_secret_is_in_the_source",
                "unit/test_provision.py",
            ),
        ),
        Provision(
            "5.4-4",
            "Secrets of updates and communication differ by device",
            "Each gateway has its own certificate and keys; updates need no secret on it.",
            ("host/test_compliance.py::test_gateways_share_no_secret",),
        ),
        Provision(
            "5.5-1",
            "Communication by cryptography of good practice",
            "TLS 1.2 or 1.3 with host name and certificate always checked; no way to turn it off.",
            ("host/test_uplink_tls.py", "host/test_uplink_https.py"),
        ),
        Provision(
            "5.5-2",
            "Security functions are reviewed or evaluated",
            "TLS is Mbed TLS in MicroPython's image, HMAC and SHA-256 are its hashlib.",
            (),
            "A review by others.",
        ),
        Provision(
            "5.5-4, -5",
            "Functions and configuration are changed by authenticated parties only",
            "Each command has a MAC for this gateway, an expiry and a counter.",
            ("unit/test_commands.py", "system/test_hostile_broker.py"),
        ),
        Provision(
            "5.5-6, -7",
            "Secrets are encrypted in transit",
            "None is sent. A certificate that is replaced is no secret; its key stays.",
            ("host/test_compliance.py::test_no_secret_leaves_the_gateway",),
        ),
        Provision(
            "5.6-1, -5",
            "Unused interfaces and services are off",
            "Only configured ports are opened; nothing listens.",
            (
                "emulated/test_demo.py::test_the_gateway_listens_on_no_port",
                "host/test_sites.py::test_a_protocol_costs_ram_only_when_it_is_configured",
            ),
        ),
        Provision(
            "5.6-2",
            "Little is told to who is not authenticated",
            "Before the handshake succeeded a peer gets no byte of MQTT.",
            ("host/test_uplink_tls.py::test_a_peer_with_a_bad_certificate_gets_nothing",),
        ),
        Provision(
            "5.6-3, -4",
            "Physical interfaces are not open without need",
            "The serial console is the technician's; it gives what opening the case gives.",
            (),
            "A locked or sealed case; JTAG fuses of the chip.",
        ),
        Provision(
            "5.6-6",
            "Code is kept to what is needed",
            "Modules are loaded when configured; a committed table shows growth (`make size`).",
            (
                "host/test_size.py",
                "host/test_sites.py::test_a_protocol_costs_ram_only_when_it_is_configured",
            ),
        ),
        Provision(
            "5.6-7, -8",
            "Least privilege, memory protection",
            "",
            (),
            "MicroPython on these chips has one address space and no users.",
        ),
        Provision(
            "5.6-9",
            "A secure way of development",
            "Tests on the real interpreter, fuzzing, seeded faults, power cuts, all in CI.",
            (
                "host/test_fuzz_drivers.py",
                "host/test_fuzz_network.py",
                "host/test_seeded_faults.py",
                "host/test_boot_faults.py",
            ),
        ),
        Provision(
            "5.7-1, -2",
            "Software is verified at the start; a change is told",
            "boot.py hashes the slot at every start, leaves a damaged one, and says so upstream.",
            (
                "unit/test_boot.py::test_an_active_slot_that_is_gone_or_damaged_gives_way_to_the_other",
                "unit/test_boot.py::test_random_bytes_anywhere_end_in_an_outcome_and_never_in_a_damaged_slot",
            ),
            "boot.py itself and the image rest on the chip: secure boot on ESP32 and RP2350.",
        ),
        Provision(
            "5.8-1, -2",
            "Personal data is protected in transit",
            "TLS, and a keyed pseudonym in place of the name before anything leaves.",
            ("system/test_personal_meters.py", "host/test_uplink_tls.py"),
        ),
        Provision(
            "5.8-3",
            "Sensors are documented",
            "`eclor check` lists in words what leaves each gateway.",
            ("host/test_promise.py",),
        ),
        Provision(
            "5.9-1, -2",
            "Outages of network and power are survived, clean recovery",
            "The journal keeps what was not acknowledged, and says what is missing.",
            ("system/test_field_life.py", "system/test_journal_cuts.py", "system/test_backlog.py"),
        ),
        Provision(
            "5.9-3",
            "Orderly reconnection",
            "Back-off with full jitter, 1 s to 300 s.",
            (
                "unit/test_uplink.py::test_back_off_is_spread_over_the_whole_range_and_reset_by_a_stable_session",
                "host/test_uplink_figures.py::test_jitter_brings_a_fleet_back_sooner_and_without_a_peak",
            ),
        ),
        Provision(
            "5.10-1",
            "Telemetry is examined for anomalies",
            "Refused commands, foreign acknowledgements, failures are counted and sent; alarms.",
            ("host/test_collect_rules.py", "system/test_hostile_broker.py"),
            "The people who look.",
        ),
        Provision(
            "5.11-1, -4",
            "A user's data can be erased, with a confirmation",
            "Command `purge` overwrites the flash wherever it is free; event `purged` confirms.",
            ("host/test_purge_image.py",),
        ),
        Provision(
            "5.11-2",
            "Data is erased from the services too",
            "Retention by rule in the collector.",
            ("host/test_collect_rules.py",),
            "The operator's rules file.",
        ),
        Provision(
            "5.12",
            "Installing and maintaining is easy, with guidance",
            "One verb per job, two languages, each problem with its remedy.",
            ("host/test_site_new.py", "host/test_language.py", "host/test_exit_codes.py"),
        ),
        Provision(
            "5.13-1",
            "All input is validated",
            "Each parser refuses with one of four errors; the configuration says every problem.",
            (
                "host/test_fuzz_drivers.py::test_nonsense_gives_only_the_four_errors",
                "host/test_fuzz_network.py::test_nonsense_from_the_network_does_nothing",
                "unit/test_config.py::test_nonsense_is_a_problem_and_not_a_crash",
            ),
        ),
        Provision(
            "6-1 .. 6-5",
            "Clear information, consent, withdrawal, little telemetry",
            "`eclor check` says what leaves; consent has a reference and a last day.",
            ("host/test_promise.py", "unit/test_privacy.py"),
            "Asking the household, and keeping its answer.",
        ),
    ),
    "EN 18031-1 and -2": (
        Provision(
            "ACM",
            "Access to assets is controlled",
            "Network: signed commands only. Pages: a login off loopback.",
            (
                "system/test_hostile_broker.py",
                "host/test_collect_pages.py::test_anything_but_loopback_needs_users",
            ),
            "Who reaches the serial port is authorised: the case is the lock.",
        ),
        Provision(
            "AUM",
            "Authenticators are adequate, changeable, hard to force",
            "Certificates of P-256, keys of 256 bits, changed on trial.",
            ("unit/test_certificates.py", "unit/test_commands.py"),
        ),
        Provision(
            "SUM",
            "Secure update, with integrity, authenticity and no automatic downgrade",
            "See EN 303 645, 5.3.",
            ("host/test_forge.py", "host/test_update_cuts.py", "emulated/test_update.py"),
        ),
        Provision(
            "SSM",
            "Secure storage",
            "The journal carries a check sum per record; secrets never leave.",
            (
                "host/test_compliance.py::test_no_secret_leaves_the_gateway",
                "unit/test_journal.py",
                "unit/test_recovery.py",
            ),
            "Confidentiality at rest is the chip's.",
        ),
        Provision(
            "SCM",
            "Secure communication: authentic, confidential, no replay",
            "TLS both ways; acknowledgements and commands carry their own MAC.",
            (
                "host/test_uplink_tls.py",
                "unit/test_uplink.py::test_a_broker_without_the_key_cannot_make_the_gateway_forget",
            ),
        ),
        Provision(
            "RLM",
            "Resilience against and recovery from denial of service",
            "Nonsense ends a session and never the gateway; the buses go on.",
            (
                "system/test_hostile_broker.py::test_nonsense_on_the_wire_ends_the_session_and_never_the_gateway",
                "unit/test_watch.py",
            ),
        ),
        Provision(
            "NMM, TCM",
            "Network equipment watches and controls traffic",
            "",
            (),
            "Not applicable: the gateway carries no traffic of others.",
        ),
        Provision(
            "CCK",
            "Confidential keys: strong, unique, made well",
            "256 bits, drawn on each gateway; the private key never leaves it.",
            ("host/test_compliance.py::test_gateways_share_no_secret",),
        ),
        Provision(
            "GEC-1",
            "No known exploitable weakness at release",
            "The list of components is written at each release.",
            ("host/test_compliance.py::test_the_list_of_components_is_whole_and_valid",),
            "Compare it with advisories.",
        ),
        Provision(
            "GEC-2 .. -4",
            "Few services, only what is needed is exposed, interfaces documented",
            "None listens; the boards' files name each pin that is used.",
            (
                "emulated/test_demo.py::test_the_gateway_listens_on_no_port",
                "host/test_boards.py",
            ),
        ),
        Provision(
            "GEC-6",
            "Input is validated",
            "See EN 303 645, 5.13.",
            ("host/test_fuzz_drivers.py", "host/test_fuzz_network.py"),
        ),
        Provision(
            "CRY-1",
            "Cryptography of good practice",
            "TLS 1.2+, RSA-3072-PSS, SHA-256, HMAC-SHA-256, AES-128-GCM for meters that encrypt.",
            ("host/test_uplink_tls.py", "unit/test_update.py", "unit/test_mac.py"),
        ),
        Provision(
            "DLM",
            "Personal data can be deleted",
            "`purge`, shown on the image of the flash.",
            ("host/test_purge_image.py",),
        ),
        Provision(
            "LGM",
            "Events relevant to privacy and security are logged, with time, and kept",
            "Commands, purges, updates, faults are EVENT records of the journal.",
            ("system/test_hostile_broker.py::test_a_command_leaves_its_trace_in_the_journal",),
        ),
        Provision(
            "UNM",
            "Changes that concern personal data are notified",
            "A changed interval or consent is a new configuration, which upstream is told.",
            ("system/test_personal_meters.py",),
            "Telling the household.",
        ),
    ),
    "Cyber Resilience Act, Annex I": (
        Provision(
            "I (1)",
            "Security appropriate to the risks",
            "The broker, the network, the line and the power are assumed hostile.",
            ("system/test_hostile_broker.py", "host/test_uplink_chaos.py"),
            "The maker's risk assessment.",
        ),
        Provision(
            "I (2)(a)",
            "No known exploitable weakness",
            "See GEC-1.",
            ("host/test_compliance.py::test_the_list_of_components_is_whole_and_valid",),
            "Compare the list with advisories.",
        ),
        Provision(
            "I (2)(b)",
            "Secure by default, resettable",
            "The weaker choices must be written down, and `eclor check` says what they cost.",
            ("host/test_promise.py::test_each_choice_says_what_it_promises",),
        ),
        Provision(
            "I (2)(c)",
            "Security updates, automatic where suitable",
            "Over the air, by the operator's order.",
            ("emulated/test_update.py",),
        ),
        Provision(
            "I (2)(d)",
            "Protection from unauthorised access, and reports of it",
            "Refused commands are counted and reported.",
            ("system/test_hostile_broker.py",),
        ),
        Provision(
            "I (2)(e), (f)",
            "Confidentiality and integrity of data, commands, programs",
            "TLS, MACs, signatures, check sums.",
            ("host/test_uplink_tls.py", "host/test_forge.py", "unit/test_record.py"),
        ),
        Provision(
            "I (2)(g)",
            "Only the data that is needed",
            "Personal meters: one reading a day, unless a consent says otherwise.",
            ("unit/test_privacy.py", "system/test_personal_meters.py"),
        ),
        Provision(
            "I (2)(h), (i)",
            "Essential functions stay available; others are not harmed",
            "Meters are read without a network; a fleet comes back spread over time.",
            ("system/test_field_life.py", "host/test_uplink_figures.py"),
        ),
        Provision(
            "I (2)(j)",
            "Little attack surface",
            "No open port.",
            ("emulated/test_demo.py::test_the_gateway_listens_on_no_port",),
        ),
        Provision(
            "I (2)(k)",
            "The effect of an incident is bounded",
            "A gateway's certificate speaks for it only; boot ends in one of three states.",
            ("host/test_collect_intakes.py", "unit/test_boot.py"),
        ),
        Provision(
            "I (2)(l)",
            "Activity relevant to security is recorded",
            "EVENT records and counters, sent upstream.",
            ("system/test_hostile_broker.py::test_a_command_leaves_its_trace_in_the_journal",),
        ),
        Provision(
            "I (2)(m)",
            "Data and settings can be removed for good",
            "`purge`.",
            ("host/test_purge_image.py",),
        ),
        Provision(
            "II (1)",
            "Components and weaknesses are identified; a software bill of materials",
            "CycloneDX 1.6, made by `make compliance` from what is installed and locked.",
            ("host/test_compliance.py::test_the_list_of_components_is_whole_and_valid",),
        ),
        Provision(
            "II (2) .. (8)",
            "Remedies without delay, tests, disclosure, a contact, free signed updates",
            "SECURITY.md, CI, signed bundles.",
            (
                "host/test_compliance.py::test_the_security_policy_answers_what_is_asked_of_it",
                "host/test_release.py",
            ),
            "The people who answer.",
        ),
    ),
    "GDPR, CNIL, Code de l'énergie": (
        Provision(
            "GDPR 5(1)(c), CNIL",
            "Minimisation: daily index by default, load curves only with consent",
            "A personal meter keeps one reading a day; a finer one needs a consent's reference.",
            (
                "unit/test_privacy.py::test_a_personal_meter_keeps_one_reading_a_day",
                "unit/test_privacy.py::test_a_consent_without_a_reference_is_none",
                "system/test_personal_meters.py",
            ),
        ),
        Provision(
            "GDPR 7(3), 17",
            "Consent ends, data is erased",
            "A consent has a last day; `purge`; retention by rule.",
            (
                "unit/test_privacy.py::test_consent_is_finer_until_its_end_and_not_after",
                "host/test_purge_image.py",
                "host/test_collect_rules.py",
            ),
            "Asking, recording and withdrawing the consent.",
        ),
        Provision(
            "GDPR 25",
            "Data protection by design and by default",
            "What must not leave is never stored; a configuration that would leak is refused.",
            (
                "system/test_personal_meters.py::test_a_configuration_that_would_leak_is_refused",
                "system/test_personal_meters.py::test_a_day_of_minutes_leaves_one_personal_reading_and_no_name",
            ),
        ),
        Provision(
            "GDPR 4(5), 32",
            "Pseudonyms, security of processing",
            "A pseudonym keyed on the gateway; a meter's number (PRM, ADCO) never leaves.",
            (
                "unit/test_privacy.py::test_pseudonyms_are_keyed_stable_and_distinct",
                "unit/test_tic_contracts.py",
                "host/test_uplink_tls.py",
            ),
        ),
        Provision(
            "GDPR 13, 14",
            "Information on what is processed",
            "`eclor check` lists it in words, in French.",
            ("host/test_promise.py",),
            "Giving it to the household; the record of processing.",
        ),
        Provision(
            "Open data",
            "No household can be singled out",
            "Groups of ten with a share limit, else refused with the reason.",
            ("host/test_collect_outputs.py", "host/test_collect_pages.py"),
        ),
    ),
}


def proofs() -> list[str]:
    """Return each test file and test that a row names, sorted, once."""
    rows = (row for standard in STANDARDS.values() for row in standard)
    return sorted({proof for row in rows for proof in row.proofs})
