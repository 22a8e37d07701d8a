"""Lint a Galaxy tool and run its tests with Galaxy's own libraries, without a server.

Started by test_galaxy.py with the Python of the environment that has galaxy-tool-util, which this one lacks:
galaxy_jobs.py TOOL.xml TEST_DATA FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import Element

from galaxy.tool_util.lint import lint_tool_source
from galaxy.tool_util.parser import get_tool_source
from galaxy.tool_util.verify.asserts import verify_assertions
from galaxy.util.template import fill_template
from galaxy.util.xml_macros import load as load_expanded


def values_of(inputs: Element, given: dict[str, str], data: Path, prefix: str = "") -> dict[str, object]:
    """Return the values of parameters as templates see them: those of a test, or the defaults."""
    values: dict[str, object] = {}
    for node in inputs:
        if node.tag in ("conditional", "section"):
            values[node.get("name")] = inside = values_of(node, given, data, f"{prefix}{node.get('name')}|")
            for case in node.findall("when"):
                if case.get("value") == inside[node.find("param").get("name")]:
                    inside |= values_of(case, given, data, f"{prefix}{node.get('name')}|")
        elif node.tag == "param":
            name = node.get("name") or node.get("argument").lstrip("-").replace("-", "_")
            values[name] = value_of(node, given.pop(f"{prefix}{name}", None), data)
    return values


def value_of(param: Element, given: str | None, data: Path) -> str:
    kind = param.get("type")
    if kind == "data":
        return str(data / given)
    if kind == "boolean":
        checked = (given or param.get("checked")) == "true"
        return param.get("truevalue" if checked else "falsevalue")
    if kind == "select" and given is None:
        options = param.findall("option")
        chosen = [option for option in options if option.get("selected") == "true"]
        first = [] if param.get("optional") == "true" else options[:1]
        return next((option.get("value") for option in chosen or first), "")
    return param.get("value", "") if given is None else given


def run_test(source, tool: Element, test: dict, data: Path, folder: Path) -> None:
    given = {each["name"]: each["value"] for each in test["inputs"]}
    values = values_of(tool.find("inputs"), given, data)
    assert not given, f"the tool has no parameters {list(given)}"
    made = [
        node
        for node in tool.findall("outputs/data")
        if all(eval(f.text, {}, values) for f in node.findall("filter"))
    ]
    work, outputs = folder / "work", folder / "outputs"
    work.mkdir(parents=True)
    outputs.mkdir()
    paths = {
        node.get("name"): work / node.get("from_work_dir")
        if node.get("from_work_dir")
        else outputs / node.get("name")
        for node in made
    }
    script = fill_template(source.parse_command(), context=values | {k: str(v) for k, v in paths.items()})
    job = subprocess.run(
        ["bash", "-ec", " ".join(script.split("\n"))], cwd=work, capture_output=True, text=True
    )
    failed = job.returncode != 0
    assert failed == test["expect_failure"], f"{script}\nexit status {job.returncode}\n{job.stderr}"
    if test["stderr"]:
        verify_assertions(job.stderr.encode(), test["stderr"])
    if failed:
        return
    assert int(test["expect_num_outputs"]) == len(made)
    for output in test["outputs"]:
        verify_assertions(paths.pop(output["name"]).read_bytes(), output["attributes"]["assert_list"])
    assert all(path.stat().st_size for path in paths.values())


def main(path: Path, data: Path, folder: Path) -> None:
    source = get_tool_source(str(path))
    if not lint_tool_source(source, level="warn", fail_level="warn"):
        sys.exit(f"{path.name}: the linter warns")
    tests = source.parse_tests_to_dict()["tests"]
    for index, test in enumerate(tests):
        run_test(source, load_expanded(str(path)).getroot(), test, data, folder / f"{path.stem}_{index}")
    print(f"{path.name}: {len(tests)} tests passed")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
