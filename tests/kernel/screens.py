"""What tests of screens share: asking QEMU, and lines as a screen of some width has them."""

import json


def ask(qmp, command, **arguments):
    """The answer to one QMP command, whatever events come before it."""
    request = {"execute": command, "arguments": arguments, "id": "asked"}
    qmp.ours.sendall(json.dumps(request).encode() + b"\n")
    said = next(m for m in qmp.messages(10, last=b'"id": "asked"') if m.get("id") == "asked")
    assert "error" not in said, said
    return said["return"]


def folded(text, cols):
    """Lines of @text as a screen of @cols columns has them."""
    for line in text.splitlines():
        yield from [line[i:i + cols].rstrip() for i in range(0, len(line), cols)] or [""]
