//! Every kind of finding there is, in one table: its code, how grave it is, its title and the paragraph that
//! `lifeboat explain CODE` prints. A code is for ever: it may be retired, it never changes its meaning.
//!
//! LB00 reading, LB01 runbooks, LB02 expressions, LB03 groups, LB04 targets, LB05 regions,
//! LB06 drill schedules, LB07 channels, LB08 isolated drills, LB09 drill policies, LB10 anchors, LB11 assurance calendars,
//! LB12 controls that drills compare.

use std::fmt;

use serde::{Serialize, Serializer};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No run starts from this document.
    Error,
    /// A run may start, and will be slower, less safe or less useful than it could be.
    Warning,
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $severity:ident, $title:literal, $text:literal;)+) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $variant,)+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// `LB0103`.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $code,)+ } }
            /// How grave it is.
            pub fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)+ } }
            /// A few words.
            pub fn title(self) -> &'static str { match self { $(Self::$variant => $title,)+ } }
            /// Why it matters and what to do: the paragraph of `lifeboat explain`.
            pub fn paragraph(self) -> &'static str { match self { $(Self::$variant => $text,)+ } }
        }
    };
}

codes! {
    Unreadable = "LB0001", Error, "unreadable file",
        "The file could not be opened, or it is not UTF-8 text. Nothing in it was checked. Look at its name, its \
        permissions and its encoding.";
    NotYaml = "LB0002", Error, "not YAML",
        "The document does not follow YAML 1.2. The place is where the reader gave up; the cause is often a line or two \
        above: a missing colon, an indentation that is off by one, a quote that is not closed. The other documents of the \
        file were still checked.";
    TooLarge = "LB0003", Error, "beyond the limits of a document",
        "The document is larger, nests deeper or unfolds its aliases to more nodes than any document of Lifeboat needs. \
        Reading stopped there, so that a hostile or broken file cannot exhaust the machine. Split the file, or replace \
        aliases by what they stand for.";
    EmptyFile = "LB0004", Warning, "nothing in the file",
        "The file holds no document: it is empty, or everything in it is a comment. If it should hold something, it was \
        lost; if not, delete it.";
    UnknownApiVersion = "LB0005", Error, "unknown apiVersion",
        "Every document begins with `apiVersion: lifeboat.dev/v1alpha1`. Another version may mean that the document was \
        written for another release of Lifeboat, or for another program; it was not checked.";
    UnknownKind = "LB0006", Error, "unknown kind",
        "The kinds are Region, ProtectionGroup, Runbook, DrillSchedule, NotificationChannel, DrillPolicy, EvidenceAnchor \
        and AssuranceCalendar. The document was not checked.";
    UnknownField = "LB0007", Error, "unknown field",
        "The field does not exist here, so what was meant by it would silently not happen. Unknown fields are refused \
        everywhere. Correct the name, or remove the field.";
    WrongType = "LB0008", Error, "wrong type",
        "The value is of another type than the field takes. Types are never guessed: `no` and `yes` are texts, \"60\" is \
        a text and 60 is a number.";
    MissingField = "LB0009", Error, "missing field",
        "A field without which the document has no meaning is not there. Add it.";
    DuplicateKey = "LB0010", Error, "duplicate key",
        "The same key stands twice in one map. YAML readers differ in which one they take, so two people, or two \
        programs, may see two different runbooks. Keep one.";
    BadName = "LB0011", Error, "bad name",
        "Names are 1 to 63 of a-z, 0-9 and `-`, start with a letter and do not end with `-`. They are used as Kubernetes \
        object names, file names and DNS labels, where nothing else is safe.";
    DuplicateDocument = "LB0012", Error, "two documents with one name",
        "Two documents of the same kind have the same name, so a reference to it would be a matter of chance. Rename one \
        of them, or do not load both files.";
    DuplicateName = "LB0013", Error, "two entries with one name",
        "Two steps of a runbook, two targets of a group or two probes of a region have the same name, so a reference to \
        it would be a matter of chance. Rename one of them.";
    NotOneChoice = "LB0014", Error, "not exactly one choice",
        "The key names the kind here: a target has exactly one driver, a probe exactly one of http, tcp, dns, sql, \
        mysql, redis, prometheus, kubernetes and command, a way to fence exactly one of readOnly, command and http, a \
        blackout exactly one of weekly and dates. None, or several, were given.";
    MergeKey = "LB0015", Error, "merge key",
        "`<<` copies the keys of another map in. What a reader sees is then not what a program reads, and YAML 1.2 has \
        dropped it. Write the keys out.";
    LiteralSecret = "LB0016", Error, "secret written into the document",
        "Documents are shown, logged, pinned in journals and kept as evidence, so a secret in one is a secret lost. Refer \
        to it with {file: PATH} or {env: NAME}, remove it here, and replace the secret: it must be considered known.";

    EmptyRunbook = "LB0101", Error, "empty runbook",
        "A runbook without steps would end at once and report success. Declare the steps, or remove the runbook and let \
        the group use the built-in one (`lifeboat runbook scaffold` prints it).";
    UnknownVerb = "LB0102", Error, "unknown verb",
        "`uses` names a verb that does not exist. Verbs are written capability.verb, such as database.promote; the general \
        ones (probe.await, approve, wait, http, command) need no target.";
    UnknownStep = "LB0103", Error, "unknown step",
        "`needs` names a step that the runbook does not have. The step would wait for ever, so no run starts. Correct the \
        name, or add the step.";
    Cycle = "LB0104", Error, "steps that wait for each other",
        "Following `needs` from this step leads back to it, so none of these steps could ever start. Remove one of the \
        needs of the printed circle.";
    VerbNeedsTarget = "LB0105", Error, "verb without target",
        "The verb works on a target of the group, and the step names none. Add `target:`.";
    VerbTakesNoTarget = "LB0106", Error, "target that the verb does not use",
        "The general verbs work on no target. A `target` here would be ignored, so it is refused: remove it, or use the \
        verb that was meant.";
    UnknownTarget = "LB0107", Error, "unknown target",
        "The step names a target that the group does not have. Correct the name, or add the target to the group. A runbook \
        that several groups use must fit all of them.";
    VerbNotOffered = "LB0108", Error, "verb that the driver lacks",
        "The target's driver does not offer this verb: a database cannot be switched like a DNS name, and not every driver \
        can do everything. Use a verb of the target's capability, or another target.";
    PromoteWithoutFence = "LB0109", Error, "promotion without a fence",
        "A promotion needs proof that the old primary accepts nothing any more; without it both sides may take writes that \
        can never be merged. Add a fence step of the same target and let the promotion need it, directly or through \
        other steps.";
    DnsBeforePromote = "LB0110", Error, "names switched before a promotion",
        "dns.switch sends users to the destination. If a promotion of the runbook is not among the steps it needs, users may \
        arrive at a copy that refuses writes. Let the switch need every promotion, directly or through other steps.";
    NeedsSource = "LB0111", Error, "failover step that depends on the source",
        "A failover must work when the source region is gone. This step needs an answer from the source, so in a real outage \
        it fails and holds the run up. Say `bestEffort: true` where its failure may be passed over, or move the step to \
        the runbook of planned runs.";
    AddressInRegion = "LB0112", Error, "failover step with an address inside a serving region",
        "The address lies in the networks of a region that may be the source, and a failover away from that region cannot \
        reach it. Use a name or address of the destination ({{ destination }}), run it somewhere else, or say `bestEffort: true`.";
    TimeoutNeverHolds = "LB0113", Error, "time limit that cannot be met",
        "The step is declared to take longer than it may: its timeout is zero, or its `within` or `seconds` is longer than \
        its `timeoutSeconds`. It would always be cut off and end as unknown. Raise the timeout or shorten the wait.";
    WrongParameter = "LB0114", Error, "wrong parameter",
        "The verb does not take this parameter, needs one that is missing, or takes another type. A parameter that is not \
        used is refused as well: what was meant by it would silently not happen.";
    UnknownUndo = "LB0115", Error, "undo that cannot be",
        "`undo.uses` must name a verb of the same capability as the step, or a general verb. Otherwise unwinding a run would \
        stop in the middle.";
    ProbeMissing = "LB0116", Error, "probe that a serving region lacks",
        "probe.await uses the probe of that name in the destination, and every serving region can be the destination. \
        Declare the probe in each of them, under the same name.";
    RepeatedNeed = "LB0117", Warning, "the same need twice",
        "The step needs the same step twice. It does no harm; probably another step was meant.";
    RetryOutOfRange = "LB0118", Error, "tries out of range",
        "`retry.attempts` is 1 to 100 tries in all, and `backoffSeconds` is 0 to 3600.";
    TargetNotMoved = "LB0119", Warning, "target that the runbook does not move",
        "The group has this target, and its runbook never promotes or switches it. After the run the service would be split \
        over two regions. Add the step, or make the target a group of its own.";
    ReverseBeforePromote = "LB0120", Error, "reversal on the wrong side of the promotion",
        "reverse makes one side a copy of the other, which overwrites what it has. Made of the source (as usual), it must \
        need the promotion of the same target; made of the destination (`member: destination`), the promotion must need it. \
        Otherwise it may overwrite the only good copy.";
    PlannedWithoutCatchUp = "LB0121", Warning, "planned promotion without catch-up",
        "In a planned run nothing need be lost: after the fence, catchUp waits until the destination has everything. Without \
        it the newest writes may be left behind, and the run stops at the loss gate or loses them. Add a catchUp step between \
        the fence and the promotion.";

    BadExpression = "LB0201", Error, "expression that does not compile",
        "`when`, `verify` and the {{ }} in parameters are minijinja expressions. This one has a syntax error, uses a \
        filter, test or function that does not exist, or nests or chains more than any sensible expression.";
    UnknownStepInExpression = "LB0202", Error, "expression about an unknown step",
        "The expression names a step that the runbook does not have. In an expression a step is written steps.NAME.OUTPUT, \
        with `_` for `-`: the lag of promote-db is steps.promote_db.lag_bytes.";
    UnknownOutput = "LB0203", Error, "output that the step does not have",
        "The expression uses an output that the step's verb does not give. At run time it would be undefined, which is an \
        error and never an empty text.";
    OutputTooEarly = "LB0204", Error, "output of a step that may not have run yet",
        "The expression uses the output of a step that is not among the steps this one needs, so whether it exists would \
        depend on timing. Add the step to `needs`.";
    OutputMayBeMissing = "LB0205", Error, "output that may be missing",
        "The step whose output is used may be skipped or passed over (it has a `when`, `drill: Skip`, `bestEffort` or \
        `onFailure: Continue`); its output is then undefined, which is an error. Say what to do then: \
        `steps.x.y | default(0)`, or `steps.x.y is defined and …`.";
    NeverHolds = "LB0206", Error, "condition that can never hold",
        "The condition is the same whatever happens, and it is false. A step with such a `when` is always skipped; one with \
        such a `verify` always fails. Correct the condition, or remove the step.";
    UnknownName = "LB0207", Error, "expression with an unknown name",
        "Expressions know source, destination, group, run.id, run.kind, run.rehearsal and steps.NAME.OUTPUT. Text needs \
        quotes: source == 'fra'.";
    AlwaysHolds = "LB0208", Warning, "condition that always holds",
        "The condition is the same whatever happens, and it is true, so it does nothing. Remove it, or write what was meant.";

    UnknownRegion = "LB0301", Error, "unknown region",
        "The name is no Region that was loaded. Correct it, or load the file that declares the region.";
    TooFewRegions = "LB0302", Error, "fewer than two serving regions",
        "A failover needs somewhere to go: a group has one Preferred and at least one Standby region. A Witness votes and \
        never serves.";
    PreferredCount = "LB0303", Error, "not exactly one preferred region",
        "Exactly one region of a group is Preferred: the one that failback returns to.";
    RegionTwice = "LB0304", Error, "region listed twice",
        "The group lists the region twice, perhaps with two roles. Keep one entry.";
    UnknownRunbook = "LB0305", Error, "unknown runbook",
        "The group names a runbook that was not loaded. Correct the name, load its file, or leave the entry out to use the \
        built-in runbook.";
    RegionWithoutMember = "LB0306", Error, "serving region without a member",
        "Every serving region can be the destination, so every target needs a member in each of them. Without one, a run \
        to that region could not move the target.";
    MemberOutside = "LB0307", Error, "member of a region that is not in the group",
        "The target declares a member or a value for a region that the group does not list. It would never be used. Add the \
        region to the group, or remove the entry.";
    WitnessServes = "LB0308", Error, "witness region that serves",
        "A Witness votes on whether a region is down and never serves, so nothing of the service may live there. Give the \
        region the role Standby, or remove the entry.";
    MemberTwice = "LB0309", Error, "two members in one region",
        "A target has one member in each region; which of the two is meant would be a matter of chance.";
    QuorumTooLarge = "LB0310", Error, "quorum that cannot be reached",
        "The quorum asks for more observers than the group has regions (witnesses included), with one observer in each, \
        so no verdict could ever be reached and no outage be noticed.";
    OutOfRange = "LB0311", Error, "number out of its range",
        "The number is outside of what the field takes; the message says what that is.";
    TimeoutsExceedObjective = "LB0312", Warning, "time limits beyond the objective",
        "If each step on the longest path took as long as it may, the run would miss the recovery-time objective. \
        Steps usually take less, so this is a warning: shorten the timeouts to what is realistic, or run steps in parallel.";
    WaitsExceedObjective = "LB0313", Error, "waits beyond the objective",
        "The `wait` steps on one path alone take longer than the recovery-time objective, so no failover can ever meet it. \
        Shorten the waits, or promise less.";
    TtlTooLong = "LB0314", Warning, "long time to live",
        "Resolvers keep the old answer for up to the record's time to live after the switch. Above a third of the \
        recovery-time objective it eats most of the time there is. Lower the TTL; some resolvers hold names for longer still.";
    NoTargets = "LB0315", Error, "group without targets",
        "There is nothing to move. Declare the databases, storages and names of the service.";
    OneObserverDecides = "LB0316", Warning, "one observer starts a failover",
        "With `automation: Automatic` and a quorum of 1, one process with a broken network can move the service. Ask for two \
        observers or more, from different regions, or use ProposeOnly.";
    DetectionTooSlow = "LB0317", Warning, "detection as slow as the objective",
        "Noticing the outage (period times threshold, and with `automation: Automatic` the hold-down) takes half of the \
        recovery-time objective or more, before the first step has run. Probe more often, lower the threshold, or hold a \
        verdict for less time.";
    RegionWithoutProbe = "LB0318", Warning, "serving region without a probe",
        "Without a probe nobody notices that the region is down, and nobody can tell that the service is back after a run. \
        Declare at least one probe in the Region.";
    UnknownCorrelatedProbe = "LB0319", Error, "unknown correlated probe",
        "The set names a probe that no region of the group declares, so it would join nothing. Correct the name, or declare \
        the probe in a Region.";
    UnknownGroupBelow = "LB0320", Error, "unknown group to wait for",
        "The group fails over by itself only after the groups in `after` have left the source, and one of them was not loaded. \
        Correct the name, load its file, or leave the entry out.";
    GroupsWaitForEachOther = "LB0321", Error, "groups that wait for each other",
        "Each of the groups waits until the other has left the source, so none of them would ever fail over by itself.";
    AlwaysFrozen = "LB0322", Error, "freeze without an end",
        "The weekly freezes of the group leave no minute of the week, so automation would hold for ever while the document \
        says that it acts. Make them shorter, or write `automation: Manual`. They are read by the clock of `timeZone`.";
    UnknownService = "LB0323", Warning, "service that runs nowhere",
        "The group says that it covers a service, and none of its regions lists it. The service that was meant is then in no \
        group, and stays behind when its region is lost. Correct the name, or list it in `services` of the Region.";

    AutomaticNeedsPersons = "LB0324", Warning, "automation that waits for persons",
        "Automation starts the run, and then the run waits: approvals must be signed, or other persons must approve, and \
        automation is no person. Write `automation: ProposeOnly`, or ask for one unsigned approval.";

    EmptyRecord = "LB0401", Error, "record that would leave its name empty",
        "A name without values takes the service away from everybody. Every region's entry has at least one value.";
    RecordLacksRegion = "LB0402", Error, "record without a serving region",
        "The record does not say what its values are when that region serves, so a run to it could not switch the name.";
    CnameWithSeveral = "LB0403", Error, "CNAME with several values",
        "RFC 1034 section 3.6.2: a name has one CNAME at most. Servers refuse the update, or drop values at random.";
    BadRecordValue = "LB0404", Error, "value that does not fit the record's type",
        "An A record holds IPv4 addresses, AAAA holds IPv6 addresses, CNAME a host name. A DNS server refuses anything else in \
        the middle of the run.";
    OutsideZone = "LB0405", Error, "record outside of its zone",
        "RFC 2136 section 3.4.1: a server refuses updates of names that are not in the zone. Write the full name, or correct the zone.";
    BadAddress = "LB0406", Error, "bad address",
        "The address is not of the form that the field takes: `ip:port` for DNS servers (a failover works without DNS, so \
        names are refused there), `host:port` for TCP.";
    BadUrl = "LB0407", Error, "bad URL",
        "The URL is not of the form that the field takes. Databases: postgres://host:port/database. HTTP: http:// or https://, \
        with a host.";
    RecordTwice = "LB0408", Error, "record declared twice",
        "Two entries declare the same name and type, so they would overwrite each other's values. Merge them.";
    SharedMember = "LB0409", Error, "two regions with one and the same member",
        "Two regions name the same server or bucket. A failover would fence and promote the same thing; it has no copy.";

    BadNetwork = "LB0501", Error, "bad network",
        "A network is written in CIDR notation (RFC 4632): 10.1.0.0/16 or fd00:1::/48, with no bits set behind the prefix.";
    NetworksOverlap = "LB0502", Warning, "networks that overlap",
        "Two regions claim the same addresses, so the dependency check cannot tell which of them an endpoint is in. Declare \
        the smaller networks that each region really has.";
    BadProbe = "LB0503", Error, "probe that cannot be made or judged",
        "The probe's settings contradict each other, or leave open what is asked or which answer means health. Such a probe \
        would be silent for ever, or healthy whatever happens. The message says which setting to add, change or leave out.";

    BadCron = "LB0601", Error, "schedule that cannot be read",
        "A schedule has the five fields of crontab(5): minute, hour, day of month, month, day of week, such as `30 3 * * 1-5`. \
        What only some programs read (`@daily`, seconds, `L`, `#`, `?`) is refused, so that a schedule means the same everywhere.";
    UnknownZone = "LB0602", Error, "unknown time zone",
        "A time zone is a name of the IANA time zone database, such as Europe/Berlin or UTC. Abbreviations such as CEST name no \
        zone: they say nothing about the day on which the clock is moved.";
    NeverFires = "LB0603", Error, "schedule that never comes",
        "No calendar has that day: 30 February, or the 31st of a month with 30 days. No drill would ever start, and nobody \
        would notice.";
    AlwaysBlackedOut = "LB0604", Error, "blackouts that cover every drill",
        "Every instant of the schedule lies in a weekly blackout, so no drill would ever start. Move the schedule, or make the \
        blackout shorter. Both are read by the clock of `timeZone`.";
    UnknownGroup = "LB0605", Error, "unknown group",
        "The schedule names a group that was not loaded. Correct the name, or load the file that declares the group.";
    BadWindow = "LB0606", Error, "time that cannot be read",
        "The times of a blackout, and of a group's freeze, are written HH:MM, from 00:00 to 24:00, and its dates YYYY-MM-DD, \
        the first not after the last. One that nobody can read would stop nothing.";
    DrillTooRare = "LB0607", Warning, "drills rarer than the objective",
        "The group promises that its last passed drill is never older than `drillMaxAgeSeconds`, and the schedule leaves more \
        time than that between two drills, weekly blackouts counted in. Drill more often, or promise less.";

    LiveOnSchedule = "LB0608", Error, "live drill without a person",
        "A live drill takes the service away from its users for a moment, and brings it back. Somebody stands beside it: `lifeboat \
        drill GROUP --mode live`. A schedule may rehearse, or drill on stand-ins (`mode: Isolated`).";

    BadTemplate = "LB0701", Error, "message template that does not work",
        "The template does not compile, or it uses a name that no notice has. Notices have event, severity, title, body, \
        command, group, region, run, key and at; what a notice does not have is an empty text, so `{% if run %}` works.";
    UnknownChannelGroup = "LB0702", Error, "channel for an unknown group",
        "The channel is only told of the groups that it lists, and this one was not loaded: nobody would be told of the group \
        that was meant. Correct the name, or load the file that declares the group.";
    BadMailAddress = "LB0703", Error, "bad mail address",
        "The text is no address that a mail server takes (RFC 5321 section 4.1.2): write name@host, or Name <name@host>. At \
        least one address must receive the message.";
    LoginInTheClear = "LB0704", Error, "login without protection",
        "A user and a password belong together, and they are only sent over TLS: with `security: None` everybody on the way \
        could read them. Use StartTls or Tls, or leave the login out.";

    BadStandIn = "LB0801", Error, "stand-in that cannot stand in",
        "In an isolated drill the runbook fences, promotes and switches the stand-ins. One that is a real server, bucket or name \
        of the group would be fenced in earnest, and one of another driver would not do what the target does. Name a clone or \
        a test target of the same driver, with addresses of its own.";
    BadDrillStep = "LB0802", Error, "step that sets nothing up",
        "What an isolated drill is set up and taken down with is a program, a request or a wait: command, http or wait, without \
        a target. The group's runbook is run on the stand-ins in between, by itself.";
    NothingStopsIt = "LB0803", Error, "live drill that nothing would stop",
        "`drills.live` needs at least one probe under `abortWhen`: a live drill that hurts must be noticed by itself. Watch what \
        users feel: the rate of errors in Prometheus, a page, a queue.";

    UnknownPolicyGroup = "LB0901", Error, "drill policy for an unknown group",
        "The policy asks something of a group, or of a tier, that no loaded document has: the group that was meant would go \
        unasked. Correct the name or the tier, or load the file that declares the group.";
    NothingRequired = "LB0902", Error, "drill policy that asks for nothing",
        "A policy without a requirement, or one with which no drill could ever count, looks like protection and is none. Say what is \
        required, such as `- {kind: Rehearse, everyDays: 30}`.";
    Unmeetable = "LB0903", Warning, "requirement that cannot be met",
        "The group cannot be drilled in the way that is asked of it, so the requirement will be NEVER or OVERDUE whatever is done. \
        Give the group what such a drill needs (`drills.isolated`, `drills.live`), or ask for another kind.";
    Unprotected = "LB0904", Warning, "group without a drill policy",
        "There are drill policies, and none of them asks anything of this group: nobody would notice that it is never drilled. \
        `lifeboat evidence coverage` shows it as UNPROTECTED. Add it to the `match` of a policy; one without `match` asks all \
        groups.";
    BadWitnessKey = "LB1001", Error, "witness without a key that checks anything",
        "A witness proves nothing to whoever does not know its key: a cosignature by anybody would do. The key is written \
        NAME+ID+KEY (C2SP tlog-cosignature, type 0x04), as the witness prints it, and it is brought here another way than over the \
        URL that it protects.";
    AnchorTooRare = "LB1002", Error, "anchor that is never due",
        "`everySeconds` is how old the last anchor may become while nothing is entered: 1 second to 604800, which is a week. What \
        is entered is anchored within a minute, whatever it says.";
    RetainedTooShort = "LB1003", Error, "bucket that keeps evidence too short or for ever",
        "`retainDays` is how long nobody can delete what was put into the bucket: 1096 days, which are three years, to 36500, which \
        are a hundred. The default of 2192 is six years (HIPAA). A lock in COMPLIANCE mode cannot be shortened, by nobody.";
    BadBucket = "LB1004", Error, "bucket that cannot be used",
        "An anchor in a bucket has the bucket's name, both halves of a key or neither, and no prefix or one with a name in it. \
        Nothing but this ledger may be below its prefix: whatever else is found there accuses it.";
    BadAssuranceItem = "LB1101", Error, "item that nobody could keep",
        "An item of an assurance calendar has a name of small letters, digits and hyphens, at most one of `everyDays` and \
        `everyMonths`, and an owner who answers for it. Without a period an assessment and an audit are due every 12 months, a \
        penetration test every 6 and a scan every month.";
    BadControlCheck = "LB1201", Error, "check of a control that tells nothing",
        "Each drill compares the controls of both regions. A check needs something to look at (a program, addresses, probes) in \
        every region that serves; rules that are declared need a program that prints those in force. One that looks at a \
        single side would be *not checked* for ever, and look like care.";
    BadControlException = "LB1202", Error, "exception that excepts everything, or says nothing",
        "An exception lets a difference between the regions stand. It names a text that only that difference holds, says why \
        it is meant, and may end on a day (UTC, `YYYY-MM-DD`). It is shown in every report, because an auditor asks for it.";
}

impl Code {
    /// The code written `LB0103`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
