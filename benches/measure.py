"""Measures and prints; see proxy.sh.

measure.py load RESULT.json WORK [NAME PID URL COOKIE]...
measure.py memory RESULT.json WHAT PID
measure.py table RESULT.json
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

ROUNDS = int(os.environ.get("ROUNDS", 5))
ROUND_SECONDS = int(os.environ.get("ROUND_SECONDS", 5))
CONNECTIONS = int(os.environ.get("CONNECTIONS", 32))
TICK = os.sysconf("SC_CLK_TCK")
OTHER_CORE = ["taskset", "-c", os.environ.get("LOAD_CORE", "0")]

# What wrk knows, as one line of JSON.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def family(pid):
    """A process and its descendants."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended meanwhile
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def cpu_seconds(pid):
    """User and system time of a family, its ended children included. 0 has none."""
    if pid == 0:
        return 0.0
    ticks = 0
    for member in family(pid):
        fields = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / TICK


def memory_mib(pid):
    """Resident and proportional set size of a family; the latter counts a shared page once."""
    rss = pss = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return {"rss_mib": rss / 1024, "pss_mib": pss / 1024}


def wrk(work, url, cookie, seconds):
    script = pathlib.Path(work, "report.lua")
    script.write_text(WRK_REPORT)
    command = [*OTHER_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def small_gets(work, targets):
    runs = {name: [] for name, *_ in targets}
    for name, _, url, cookie in targets:  # warm, and not counted
        wrk(work, url + "/", cookie, 1)
    for number in range(ROUNDS):
        for name, pid, url, cookie in targets:
            before = cpu_seconds(pid)
            run = wrk(work, url + "/", cookie, ROUND_SECONDS)
            run["cpu_us_per_request"] = (cpu_seconds(pid) - before) * 1e6 / run["requests"]
            run["requests_per_second"] = run["requests"] / run["seconds"]
            assert run["errors"] == 0, f"{name}: {run}"
            runs[name].append(run)
            print(f"round {number + 1} {name}: {run['requests_per_second']:.0f} requests/s, "
                  f"{run['cpu_us_per_request']:.1f} us CPU each", file=sys.stderr)
    return {name: {key: statistics.median(run[key] for run in of_one) for key in of_one[0]} | {"rounds": of_one}
            for name, of_one in runs.items()}


def transfer(work, url, cookie, pid, upload, size):
    """One curl; the proxy's CPU seconds and the speed."""
    command = [*OTHER_CORE, "curl", "-sS", "--fail", "-m", "600", "-o", f"{work}/answer", "-H", f"Cookie: {cookie or 'none=1'}"]
    # Without waiting for `100 Continue`, which would only measure who sends it how soon.
    command += ["-H", "Expect:", "-X", "POST", "-T", f"{work}/big/files/file", url + "/swallow"] if upload else [url + "/file"]
    before = cpu_seconds(pid)
    output = subprocess.run([*command, "-w", "%{time_total} %{size_download} %{size_upload}"],
                            check=True, capture_output=True, text=True).stdout.split()
    cpu = cpu_seconds(pid) - before
    assert int(output[2 if upload else 1]) == size, output
    if upload:
        assert int(pathlib.Path(work, "answer").read_text()) == size, "the upstream did not get all of it"
    return {"mb_per_second": size / 1e6 / float(output[0]), "cpu_seconds_per_gb": cpu * 1e9 / size}


def transfers(work, targets):
    size = pathlib.Path(work, "big/files/file").stat().st_size
    result = {name: {"download": [], "upload": []} for name, *_ in targets}
    for _ in range(min(ROUNDS, 3)):
        for name, pid, url, cookie in targets:
            for direction in ("download", "upload"):
                result[name][direction].append(transfer(work, url, cookie, pid, direction == "upload", size))
    return {name: {direction: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                   for direction, runs in both.items()} for name, both in result.items()}


def load(path, work, *rest):
    targets = [(rest[i], int(rest[i + 1]), rest[i + 2], rest[i + 3]) for i in range(0, len(rest), 4)]
    for name, _, url, cookie in targets:
        answer = subprocess.run(["curl", "-sS", "--fail", "-H", f"Cookie: {cookie or 'none=1'}", url + "/"],
                                check=True, capture_output=True).stdout
        assert len(answer) == 1024, f"{name} does not answer what the upstream sends: {answer[:200]}"
    result = {"settings": {"rounds": ROUNDS, "seconds": ROUND_SECONDS, "connections": CONNECTIONS}, "targets": {}, "memory": {}}
    fresh = {name: memory_mib(pid) for name, pid, *_ in targets if pid}
    small = small_gets(work, targets)
    after = {name: memory_mib(pid) for name, pid, *_ in targets if pid}
    big = transfers(work, targets)
    for name, pid, *_ in targets:
        result["targets"][name] = {"small": small[name], **big[name], "memory_before": fresh.get(name), "memory_after": after.get(name)}
    pathlib.Path(path).write_text(json.dumps(result, indent=1))


def memory(path, what, pid):
    result = json.loads(pathlib.Path(path).read_text())
    result["memory"][what] = memory_mib(int(pid))
    pathlib.Path(path).write_text(json.dumps(result, indent=1))


def table(path):
    result = json.loads(pathlib.Path(path).read_text())
    settings, targets = result["settings"], result["targets"]
    print(f"Medians of {settings['rounds']} interleaved rounds of {settings['seconds']} s, {settings['connections']} keep-alive "
          "connections, a 1 KB answer. One core for the proxy alone, the other for load and upstream.\n")
    print("| | requests/s | CPU µs/request | p50 ms | p99 ms | RSS MiB | PSS MiB | download MB/s | CPU s/GB | upload MB/s | CPU s/GB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, it in targets.items():
        small, used = it["small"], it["memory_after"]
        own = [f"{small['cpu_us_per_request']:.1f}"] if used else ["–"]
        sizes = [f"{used['rss_mib']:.1f}", f"{used['pss_mib']:.1f}"] if used else ["–", "–"]
        big = [text for d in ("download", "upload")
               for text in (f"{it[d]['mb_per_second']:.0f}", f"{it[d]['cpu_seconds_per_gb']:.2f}" if used else "–")]
        print("| " + " | ".join([name, f"{small['requests_per_second']:.0f}", *own, f"{small['p50_us'] / 1000:.2f}",
                                 f"{small['p99_us'] / 1000:.2f}", *sizes, *big]) + " |")
    if "portcullis" in targets:
        ours, nginx, apache = (targets[name]["small"] for name in ("portcullis", "nginx", "mod_auth_openidc"))
        print()
        print("| ratio | value | aim |")
        print("|---|---:|---:|")
        print(f"| CPU per request, portcullis / nginx | {ours['cpu_us_per_request'] / nginx['cpu_us_per_request']:.2f} | ≤ 1.5 |")
        print(f"| requests/s, portcullis / mod_auth_openidc | {ours['requests_per_second'] / apache['requests_per_second']:.2f} | ≥ 4 |")
        print(f"| CPU per request, mod_auth_openidc / portcullis | {apache['cpu_us_per_request'] / ours['cpu_us_per_request']:.2f} | |")
        for d in ("download", "upload"):
            ratio = targets["portcullis"][d]["cpu_seconds_per_gb"] / max(targets["nginx"][d]["cpu_seconds_per_gb"], 0.01)
            print(f"| CPU per GB of {d}, portcullis / nginx | {ratio:.2f} | |")
    if result["memory"]:
        print()
        print("| gateway | RSS MiB | PSS MiB |")
        print("|---|---:|---:|")
        for what, it in result["memory"].items():
            print(f"| {what} | {it['rss_mib']:.1f} | {it['pss_mib']:.1f} |")


if __name__ == "__main__":
    {"load": load, "memory": memory, "table": table}[sys.argv[1]](*sys.argv[2:])
