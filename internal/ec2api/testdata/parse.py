"""Parses recorded answers with botocore, and tells what of them it does not know.

Reads JSON lines {"service", "action", "status", "type", "body" (base64)} from standard
input. Prints one line for each problem; a line "ok N" at the end.
"""
import base64
import json
import sys
import xml.etree.ElementTree as ET

import botocore.parsers
import botocore.session

# What EC2 really answers, though its model has no such value.
REAL = {("AttachmentStatus", "available"), ("NetworkInterfaceStatus", "pending"), ("NetworkInterfaceType", "nat_gateway")}

session = botocore.session.get_session()
models = {}
problems = 0


def model(service):
    if service not in models:
        models[service] = session.get_service_model(service)
    return models[service]


def complain(text):
    global problems
    problems += 1
    print(text)


def tag(element):
    return element.tag.rsplit("}", 1)[-1]


def wire_name(name, shape):
    return shape.serialization.get("name", name)


def walk(where, element, shape, flat=False):
    kind = shape.type_name
    if kind == "structure":
        members = {wire_name(n, s): s for n, s in shape.members.items()}
        seen = set()
        for child in element:
            name = tag(child)
            if name in ("requestId", "ResponseMetadata"):
                continue
            if name not in members:
                complain(f"{where}: {name} is not known; there are {' '.join(sorted(members))}")
                continue
            member = members[name]
            if name in seen and not (member.type_name == "list" and member.serialization.get("flattened")):
                complain(f"{where}: {name} is there twice")
            seen.add(name)
            walk(f"{where}.{name}", child, member)
        for name in shape.required_members:
            if wire_name(name, shape.members[name]) not in seen:
                complain(f"{where}: {name} is required and missing")
        if element.text and element.text.strip():
            complain(f"{where}: text in a structure: {element.text!r}")
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            if tag(child) != item:
                complain(f"{where}: an item is called {tag(child)}, not {item}")
            else:
                walk(where + "[]", child, shape.member)
        if element.text and element.text.strip():
            complain(f"{where}: text in a list: {element.text!r}")
    elif kind == "map":
        pass
    else:
        if len(element):
            complain(f"{where}: elements in a value")
        text = element.text or ""
        if kind in ("integer", "long"):
            try:
                int(text)
            except ValueError:
                complain(f"{where}: {text!r} is no {kind}")
        elif kind in ("double", "float"):
            try:
                float(text)
            except ValueError:
                complain(f"{where}: {text!r} is no {kind}")
        elif kind == "boolean" and text not in ("true", "false"):
            complain(f"{where}: {text!r} is no boolean")
        elif kind == "string" and shape.enum and text and text.lower() not in [e.lower() for e in shape.enum] and (shape.name, text) not in REAL:
            complain(f"{where}: {text!r} is not one of {' '.join(shape.enum[:40])}")


def walk_json(where, value, shape):
    kind = shape.type_name
    if kind == "structure":
        members = {wire_name(n, s): s for n, s in shape.members.items()}
        for name, kid in value.items():
            if name not in members:
                complain(f"{where}: {name} is not known; there are {' '.join(sorted(members))}")
            else:
                walk_json(f"{where}.{name}", kid, members[name])
        for name in shape.required_members:
            if wire_name(name, shape.members[name]) not in value:
                complain(f"{where}: {name} is required and missing")
    elif kind == "list":
        for kid in value:
            walk_json(where + "[]", kid, shape.member)
    elif kind == "map":
        for name, kid in value.items():
            walk_json(f"{where}[{name}]", kid, shape.value)
    else:
        want = {"integer": int, "long": int, "boolean": bool, "double": (int, float), "float": (int, float), "timestamp": (int, float, str)}.get(kind, str)
        if not isinstance(value, want) or want is int and isinstance(value, bool):
            complain(f"{where}: {value!r} is no {kind}")
        elif kind == "string" and shape.enum and value and value not in shape.enum:
            complain(f"{where}: {value!r} is not one of {' '.join(shape.enum[:40])}")


count = 0
for line in sys.stdin:
    r = json.loads(line)
    count += 1
    body = base64.b64decode(r["body"])
    if r["action"] not in model(r["service"]).operation_names:
        continue
    op = model(r["service"]).operation_model(r["action"])
    where = f"{r['service']} {r['action']}"
    protocol = model(r["service"]).metadata["protocol"] if "cbor" in r["type"] or "json" in r["type"] else ("ec2" if r["service"] == "ec2" else "query")
    parser = botocore.parsers.create_parser(protocol)
    try:
        parsed = parser.parse({"body": body, "headers": {"content-type": r["type"], "smithy-protocol": "rpc-v2-cbor"}, "status_code": r["status"], "context": {"operation_name": r["action"]}}, op.output_shape)
    except Exception as e:  # whatever botocore says of an answer is a problem of the answer
        complain(f"{where}: {e!r}")
        continue
    if r["status"] >= 300:
        if not parsed.get("Error", {}).get("Code"):
            complain(f"{where}: an error without a code")
        continue
    if "cbor" in r["type"] or op.output_shape is None:
        continue
    if "json" in r["type"]:
        walk_json(where, json.loads(body or b"{}"), op.output_shape)
        continue
    root = ET.fromstring(body)
    if tag(root) != r["action"] + "Response":
        complain(f"{where}: the root is {tag(root)}")
    if r["service"] != "ec2":
        result = [c for c in root if tag(c) == r["action"] + "Result"]
        if len(result) != 1:
            complain(f"{where}: no {r['action']}Result")
            continue
        root = result[0]
    walk(where, root, op.output_shape)
print("ok", count)
sys.exit(1 if problems else 0)
