"""Every limit on what may come in, in one table: how much of what, and why this much.

A limit is checked before the work that it bounds is done. Whoever checks one counts what it refuses
(`autoscaler.refusals`); the counts are exported as ``kn_ahead_refused_total{limit="..."}``.

A new input gets its limits here first. The file is longer than others because it is one table: an
operator looks up a limit by its name, a reviewer sees them all.
"""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit."""

    name: str  # the label of its metric
    most: float  # in `unit`; for times, s
    unit: str
    why: str  # why this much, and what happens to what exceeds it

    def __str__(self) -> str:
        return f"{self.most:,.10g} {self.unit}"


# --- the socket that activators dial (controller) ------------------------------------------------

FRAME_BYTES = Limit(
    "frame_bytes", 2 * MIB, "bytes a frame", "20,000 revisions in one second; the connection closes"
)
FRAME_MESSAGES = Limit(
    "frame_messages", 20_000, "messages a frame", "as FRAME_BYTES; the frame is dropped unread"
)
MESSAGE_BYTES = Limit(
    "message_bytes",
    4096,
    "bytes a message",
    "names of 253 bytes and seven numbers take 850; the frame is dropped unread",
)
GARBLED_FRAMES = Limit(
    "garbled_frames", 0, "frames that are no sequence of messages", "the frame is dropped"
)
GARBLED_MESSAGES = Limit(
    "garbled_messages", 0, "messages that nobody can read", "the message is dropped"
)
NAME_BYTES = Limit(
    "name_bytes", 253, "bytes a name", "what Kubernetes allows; the message is dropped"
)
NAMES = Limit("names", 0, "characters that no name in Kubernetes has", "the message is dropped")
SAMPLE = Limit(
    "sample",
    1e9,
    "requests in flight or new, or fewer than none",
    "a total of doubles keeps six decimals beside it; the message is dropped",
)
SOCKET_CONNECTIONS = Limit(
    "socket_connections",
    128,
    "connections",
    "twenty activators connect once each, with room to spare; unidentified peers have as many",
)
PEER_CONNECTIONS = Limit(
    "peer_connections", 64, "connections an address", "a masquerading node hides all activators"
)
UNIDENTIFIED_CONNECTIONS = Limit(
    "unidentified_connections",
    32,
    "connections of unknown addresses that do not report",
    "kubelets probe once in seconds; the oldest of the addresses with the most of them is closed",
)
UNIDENTIFIED = Limit(
    "unidentified",
    0,
    "connections of unknown addresses that report",
    "the addresses of activators can be seen, so nobody else may report",
)
BROWSERS = Limit("browsers", 0, "requests with an Origin", "no activator is a web page")
HEADER_BYTES = Limit("header_bytes", 8192, "bytes of a request", "kubelets and activators send 300")
REQUEST_BODY = Limit(
    "request_body", 0, "bytes behind a request", "kubelets and activators wait for our answer"
)
HANDSHAKE_S = Limit(
    "handshake_s", 5.0, "s", "until a request is complete, and until an answered peer disconnects"
)
MESSAGE_S = Limit("message_s", 5.0, "s", "until a message that has begun is complete")
QUIET_S = Limit("quiet_s", 30.0, "s without a byte", "activators ping every 3.3 s")
UNFINISHED_BYTES = Limit(
    "unfinished_bytes",
    16 * MIB,
    "bytes of all messages that have begun",
    "the connection that held most for longest is closed",
)
WAITING_BYTES = Limit(
    "waiting_bytes",
    16 * MIB,
    "bytes of all frames that wait to be taken",
    "connections that hold more than an equal part are not read until it is less",
)
UNREAD_BYTES = Limit(
    "unread_bytes",
    64 * 1024,
    "bytes of answers that a peer has not read",
    "activators read a pong every 3.3 s; the connection closes",
)
FRAMES_TURN_S = Limit(
    "frames_turn_s", 0.002, "s", "of decoding before the loop turns to others: probes, ticks, pokes"
)
CONNECTION_SHARE = Limit(
    "connection_share",
    0.2,
    "of the time of the last second",
    "decoding 20,000 revisions a second takes 0.03; the connection waits until it is less",
)
STATISTICS_SHARE = Limit(
    "statistics_share",
    0.5,
    "of the time of the last second",
    "for all connections together; ticks, pokes and probes have the other half",
)
FORWARDED_BYTES = Limit(
    "forwarded_bytes",
    16 * MIB,
    "bytes of frames that wait to be passed on to the leader",
    "two seconds of 80,000 revisions; the oldest are dropped",
)
FORWARDED_S = Limit(
    "forwarded_s", 2.0, "s that a frame waits to be passed on", "it counts when it arrives"
)

# --- Kubernetes objects (controller) --------------------------------------------------------------

ANSWER_S = Limit("answer_s", 30.0, "s", "until an answer of the API server is whole; given up")
OBJECT_BYTES = Limit(
    "object_bytes",
    2 * MIB,
    "bytes an object",
    "etcd stores 1.5 MiB; of what is larger only the name is read, and what was known of it stays",
)
LIST_BYTES = Limit(
    "list_bytes",
    4 * MIB,
    "bytes an answer",
    "250 pods of 16 kB; a list asks for fewer a page, of a single one only the name is read",
)
LIST_OBJECTS = Limit(
    "list_objects",
    200_000,
    "objects of a kind in a list",
    "Kubernetes bears 150,000 pods; the list is given up",
)
REVISIONS = Limit(
    "revisions",
    20_000,
    "objects of a kind that a revision has one of",
    "twice what we promise; the next is left out until one has gone",
)
NAMESPACE_REVISIONS = Limit(
    "namespace_revisions",
    10_000,
    "of them in a namespace",
    "half of REVISIONS, so that no namespace takes all; as REVISIONS",
)
PODS = Limit(
    "pods",
    50_000,
    "pods",
    "each is 0.6 kB; five a revision at 10,000 revisions; as REVISIONS",
)
NAMESPACE_PODS = Limit(
    "namespace_pods", 25_000, "pods of a namespace", "half of PODS, so that no namespace takes all"
)
REVISION_PODS = Limit(
    "revision_pods",
    10_000,
    "pods of a revision",
    "pods that cannot be scheduled cost nothing but our memory; what is more is not counted",
)
ROUTE_TARGETS = Limit(
    "route_targets",
    256,
    "targets a Route",
    "more than anybody splits traffic by; the Route counts as not there",
)
ANNOTATION_LENGTH = Limit(
    "annotation_length",
    64,
    "characters of an annotation that is a number or a word",
    "no number that Knative allows has half of it; it counts as not set",
)
CONFIG_LENGTH = Limit(
    "config_length",
    16 * 1024,
    "characters a ConfigMap, examples apart",
    "forty keys of Knative's have 2,000; the former values stay",
)

# --- connections that we open (controller) --------------------------------------------------------

API_CONNECTIONS = Limit(
    "api_connections",
    100,
    "connections to the API server",
    "48 + 40 writes at once, 6 watches, 1 list, leases and events never wait for one",
)
SCRAPE_CONNECTIONS = Limit(
    "scrape_connections",
    256,
    "connections to queue-proxies, kept; and as many that are made anew each time",
    "1,000 pods a second at 0.2 s each; scrapes wait their turn",
)
PROBE_CONNECTIONS = Limit(
    "probe_connections", 64, "probes of activators", "each a connection of its own; the next waits"
)
OTHER_DESCRIPTORS = Limit(
    "other_descriptors",
    64,
    "descriptors of the process itself",
    "some twenty are in use: log, loop, listeners, the file of forecasts, the token, DNS",
)

# --- a fleet, and the advice for it (controller) -------------------------------------------------

ADVICE_WINDOWS = Limit("advice_windows", 16, "windows of a forecast", "there are five")
CHANGES = Limit(
    "changes", 4_096, "changes of one tick", "the eldest are shown; the others are counted"
)
RECORDING_BYTES = Limit(
    "recording_bytes",
    1024 * MIB,
    "bytes of a recording, unpacked",
    "a day of 300 services; it ends",
)
NOTES_BYTES = Limit("notes_bytes", 65_536, "bytes", "faults, counts: a few hundred in general")
NAMES_BYTES = Limit("names_bytes", 64 * MIB, "bytes", "50,000 revisions with long annotations")
LATEST_S = Limit("latest_s", 1e11, "Unix s", "in the year 5138; the whole is refused")
HORIZON_S = Limit(
    "horizon_s", 31 * 86_400.0, "s ahead", "a horizon without end would never be stale"
)
LARGEST_DEMAND = Limit(
    "largest_demand",
    1.5e8,
    "requests in flight",
    "a cluster's 150,000 pods at Knative's 1,000 each; the revision gets no advice",
)

# --- dependencies (advisor) ----------------------------------------------------------------------
# What is shared is shared out by namespace: autoscaler/advisor/namespaces.py has the rule.

ANNOTATION_CHARS = Limit(
    "annotation_chars",
    1_024,
    "characters of an annotation that names services or namespaces",
    "sixteen of the longest names; nothing of a longer one is read",
)
UPSTREAM_NAMES = Limit(
    "upstream_names", 32, "upstreams that a service names", "the first ones count"
)
CONSENT_NAMES = Limit(
    "consent_names",
    64,
    "namespaces that a service consents to",
    "the first ones count; for more there is *",
)
UPSTREAMS = Limit(
    "upstreams",
    32,
    "upstreams of a service in its own namespace",
    "a service is seldom called by ten; the most probable are kept",
)
UPSTREAMS_ELSEWHERE = Limit(
    "upstreams_elsewhere",
    8,
    "upstreams of a service in one other namespace",
    "as UPSTREAMS; counted for each namespace apart",
)
EDGES = Limit(
    "edges",
    65_536,
    "edges that are acted on",
    "six for each of 10,000 services; shared out by the downstream's namespace",
)
PATH_EDGES = Limit(
    "path_edges", 16, "edges in a path", "no request is passed on more often; no longer path is"
)
PATH_GAIN = Limit(
    "path_gain",
    1_000.0,
    "calls downstream for one upstream",
    "a page that asks for each row of a long list; a gain that is more is set to it",
)
PATH_LAG_S = Limit(
    "path_lag_s", 3_600.0, "s of lag", "nobody keeps a pod for longer ahead; more is set to it"
)
FAN_OUT = Limit(
    "fan_out",
    64,
    "paths from a service into its own or one other namespace",
    "more pods started by one call are a stampede; the most probable are kept",
)
FAN_OUT_ELSEWHERE = Limit(
    "fan_out_elsewhere",
    256,
    "paths from a service into all other namespaces",
    "shared out among all namespaces, one each at least, as a gateway serves them all",
)
PATHS = Limit(
    "paths",
    65_536,
    "paths",
    "what a tick can weigh in 20 ms; shared out by the downstream's namespace, so that none takes "
    "another's",
)

# --- Prometheus (learner) ------------------------------------------------------------------------

PROMETHEUS_S = Limit(
    "prometheus_s", 60.0, "s", "until an answer is whole: some 15 MB, packed; it is asked for again"
)
READ_S = Limit(
    "read_s", 900.0, "s", "for all answers to one query, over all of the past; the step is given up"
)
PROMETHEUS_BYTES = Limit(
    "prometheus_bytes",
    64 * MIB,
    "bytes of an answer, unpacked",
    "10,000 series x 64 points take 20 MB; less is asked for at a time, then the step given up",
)
PROMETHEUS_PARTS = Limit(
    "prometheus_parts",
    8_000_000,
    "brackets and commas in an answer",
    "three a point, and an object in memory for each; as PROMETHEUS_BYTES",
)
PROMETHEUS_SERIES = Limit(
    "prometheus_series",
    50_000,
    "series in an answer",
    "five a service at 10,000; as PROMETHEUS_BYTES",
)
SERVICE_SERIES = Limit(
    "service_series",
    200,
    "series of one service",
    "a restart of the autoscaler makes one, and each takes 1 MB; the service is a gap",
)
LABEL_BYTES = Limit(
    "label_characters",
    8192,
    "characters of a series' labels",
    "twenty labels as Kubernetes allows them; the series is left out",
)
STATE_BYTES = Limit(
    "state_bytes",
    4095 * MIB,
    "bytes on disk",
    "45 KB a service, so five times our goal; the learner begins anew",
)
MODEL_BYTES = Limit(
    "model_bytes",
    64 * MIB,
    "bytes on disk",
    "five windows x 250 trees take 1 MB, packed; the learner begins without it",
)
MODEL_UNPACKED = Limit(
    "model_unpacked_bytes", 256 * MIB, "bytes unpacked", "as MODEL_BYTES, before XGBoost reads any"
)
MODEL_ROUNDS = Limit(
    "model_rounds", 10_000, "trees of one window", "forty times ours; as MODEL_BYTES"
)
ACCESS_FILE = Limit(
    "access_file", MIB, "characters", "of a token or certificates: the system's own are 0.2 MB"
)
HISTORY = Limit(
    "history_values",
    5 << 24,
    "services x steps",
    "4,000 services x 14 days at 60 s, which take 4 GiB while they move and a fit still holds what"
    " was before; of more services half as many days are read",
)
PAST_REQUESTS = Limit(
    "past_requests_values",
    1 << 26,
    "services x steps",
    "3,300 services x 14 days at 60 s, of which a what-if makes several arrays",
)
COUNT = Limit(
    "count", 2.0**53, "as a count", "from there on counting loses ones; the sample is a gap"
)
REQUESTS = Limit(
    "requests",
    1e12,
    "requests of one service in a step",
    "150,000 pods, 1,000 a second, an hour; the step is a gap",
)
SERVICE_PODS = Limit(
    "service_pods",
    150_000,
    "pods of one service",
    "all that a Kubernetes cluster can hold; the step is a gap",
)
POD_CAPACITY = Limit(
    "pod_capacity",
    1000,
    "requests in flight that a pod takes",
    "the most that Knative lets a container have; a greater target counts as this much",
)

# --- bundles (advisor) ---------------------------------------------------------------------------

BUNDLE_BYTES = Limit(
    "bundle_bytes",
    32 * MIB,
    "bytes on the wire or on disk",
    "10,000 services take some 2 MiB; the bundle is refused before more is read",
)
BUNDLE_UNPACKED = Limit(
    "bundle_unpacked_bytes",
    128 * MIB,
    "bytes unpacked",
    "10,000 services of which one is huge take 80 MiB; the bundle is refused",
)
BUNDLE_SERVICES = Limit(
    "bundle_services", 50_000, "services", "five times our goal; the bundle is refused"
)
BUNDLE_WINDOWS = Limit(
    "bundle_windows", 16, "windows ahead", "the learner has five; the bundle is refused"
)
BUNDLE_CELLS = Limit(
    "bundle_cells", 256, "cells a curve", "SERVICE_PODS needs 139 cells; the bundle is refused"
)
BUNDLE_EDGES = Limit(
    "bundle_edges", 100_000, "edges", "ten a service at 10,000 services; the bundle is refused"
)
SERVICE_NAME = Limit(
    "service_name",
    63 + 1 + 253,
    "characters a name",
    "a namespace, a slash and a name as Kubernetes allows them; the service is left out",
)
EDGE_LAG_S = Limit(
    "edge_lag_s", 86_400.0, "s from call to call", "nobody keeps pods for so long; edge left out"
)
EDGE_GAIN = Limit(
    "edge_gain", 1e6, "calls that a call brings", "no service can be called so; edge left out"
)
FETCH_S = Limit("fetch_s", 30.0, "s", "until a bundle is whole: 1 MiB/s; it is asked for again")

# --- the ledger (advisor) ------------------------------------------------------------------------

LEDGER_ROWS = Limit(
    "ledger_rows",
    50_000,
    "services in an hour or a day",
    "five times our goal; what comes then is not counted",
)
LEDGER_NAMES = Limit(
    "ledger_names", 16 * MIB, "bytes of names", "LEDGER_ROWS of the longest; as LEDGER_BYTES"
)
LEDGER_BYTES = Limit(
    "ledger_bytes",
    16 * MIB,
    "bytes of an hour or a day on disk",
    "10,000 services take 0.5 MB; the period begins anew, and the file is set aside",
)
LEDGER_FOLDER = Limit(
    "ledger_folder",
    512 * MIB,
    "bytes of the ledger on disk",
    "a year of 10,000 services takes 200 MB; the oldest days go",
)

# --- archives of arrays (learner's notebook, traces, bundles) ------------------------------------

ARCHIVE_BYTES = Limit(
    "archive_bytes", 1024 * MIB, "bytes on disk", "files that somebody chose; refused unread"
)
ARCHIVE_UNPACKED = Limit(
    "archive_unpacked_bytes", 1024 * MIB, "bytes unpacked", "as ARCHIVE_BYTES; refused"
)
ARCHIVE_MEMBERS = Limit(
    "archive_members", 64, "arrays", "the largest of ours has 26; the archive is refused"
)
ARRAY_HEADER = Limit(
    "array_header_bytes", 1000, "bytes of an array's header", "118 are usual; refused unparsed"
)

TRACE_LINE = Limit(
    "trace_line",
    4 * MIB,
    "characters of a line",
    "a step of 100,000 services in a CSV trace; refused",
)

# --- keys ----------------------------------------------------------------------------------------

KEY_BYTES = Limit("key_bytes", 4096, "bytes", "a file of more is no key")

# --- REST (advisor) ------------------------------------------------------------------------------

REST_CONNECTIONS = Limit(
    "rest_connections",
    128,
    "connections",
    "a few Prometheus, kubelets and people; the one that waited longest is closed for a new one",
)
REST_BACKLOG = Limit("rest_backlog", 64, "connections that wait to be accepted", "in the kernel")
REST_REQUEST_S = Limit(
    "rest_request_s", 5.0, "s", "from the first byte (of TLS, too) until a request is whole"
)
REST_IDLE_S = Limit("rest_idle_s", 5, "s", "between an answer and the next request")
REST_ANSWER_S = Limit(
    "rest_answer_s", 30.0, "s", "until an answer is sent whole: three times Prometheus's patience"
)
REST_HEAD_BYTES = Limit(
    "rest_head_bytes", 16 * 1024, "bytes of a request's head", "twice the longest tokens"
)
REST_URL_BYTES = Limit(
    "rest_url_bytes", 8 * 1024, "bytes of a URL", "two names of Kubernetes, however escaped"
)
REST_RENDERERS = Limit(
    "rest_renderers", 2, "pages made at once", "threads that take turns; the others wait"
)
REST_PAGES = Limit(
    "rest_pages", 64, "pages kept", "of 0.4 MB at most each; the one not asked for longest goes"
)

# --- REST (command line) -------------------------------------------------------------------------

API_ANSWER_BYTES = Limit(
    "api_answer_bytes", 32 * MIB, "bytes", "1,000 dependencies take 0.4 MB; the command ends"
)
API_ANSWER_S = Limit(
    "api_answer_s", 30.0, "s", "until an answer is whole, as REST_ANSWER_S; the command ends"
)
