"""What the figures are called: by the parts that measure them, and by the page that shows them."""

NTPDIG, CHRONYD, CHECK_NTP_TIME = "ntpdig", "chronyd -Q", "check_ntp_time"
HTPDATE, ROUGHLY = "htpdate -q", "roughly"
PEERS = (NTPDIG, CHRONYD, CHECK_NTP_TIME, HTPDATE, ROUGHLY)

EMPTY = "an empty interpreter"
PLAIN = "time-drift, five NTP servers"
ONE = "ntpdig, one NTP server"
FIVE = "ntpdig, the same five"
CHECK = "check_ntp_time, one NTP server"
KEPT = "all shipped sources, NTS with cookies kept; HTTPS not needed"
ROUGH = "NTP and Roughtime; HTTPS not needed"
COOKIES = "one NTS server, cookies kept"
WEB = "NTP and HTTPS, both needed"
ALL = "NTP, NTS, Roughtime and HTTPS, all needed"
PAGE = "htpdate -q, one HTTP server"
QUERY = "roughly query, one Roughtime server"
COST_OF = {
    NTPDIG: (ONE, FIVE),
    CHECK_NTP_TIME: (CHECK,),
    HTPDATE: (PAGE,),
    ROUGHLY: (QUERY,),
}
"""What is measured of each peer; chronyd -Q has a table of its own."""

OURS = "time-drift"
QUIET, AWAY, BUSY, IMPORTING = "quiet", "away", "busy", "importing"
BACK_S = 0.04
"""How much longer replies are under way than requests, in AWAY."""

ALONE = "time-drift, nine of NTP"
MIXED = "time-drift, five of NTP, two of HTTPS, two of Roughtime"
NOBODY = "nobody"
TRUTH_S = -4
"""Local minus true, where servers lie."""
MOST_LIARS = 4
"""Of nine servers."""
RUNS = 3
"""Of each program in each case, of which the worst counts."""
PATIENCE_S = 30
"""How long a program may take there."""
UNCLAIMED = ("narrow", "wide")
"""Lies about one's own error, of which HTTP has none."""
