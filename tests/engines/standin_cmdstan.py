"""Stands in for an executable that CmdStan built: takes its arguments, writes its CSV.

Draws come from a plain normal generator seeded by seed and chain; nothing is sampled. With
STANDIN=fail it fails as Stan does, with STANDIN=die it is killed, with STANDIN=wait it runs until
it is ended.
"""

import json
import os
import random
import signal
import sys
import time

words = sys.argv[1:]
given = dict(word.split("=", 1) for word in words if "=" in word)
files = {words[i - 1]: word[5:] for i, word in enumerate(words) if word.startswith("file=")}


def info() -> None:
    print("stan_version_major = 2\nstan_version_minor = 39\nstan_version_patch = 0")
    print("STAN_THREADS=false")


def log_prob() -> None:
    with open(given["constrained_params"]) as file:
        point = json.load(file)["raw"]
    if point[0] < 0:
        sys.exit("Rejecting")
    with open(files["output"], "w") as out:
        out.write("# a comment\nlp__," + ",".join(f"g_raw.{i + 1}" for i in range(len(point))))
        values = [-0.5 * sum(x * x for x in point), *(-x for x in point)]
        out.write("\n" + ",".join(map(repr, values)) + "\n")


CONFIG = """# stan_version_major = 2
# stan_version_minor = 39
# stan_version_patch = 0
# model = standin_model
# method = sample (Default)
#   sample
#     num_samples = {num_samples}
#     num_warmup = {num_warmup}
#     save_warmup = false (Default)
#     thin = 1 (Default)
#     algorithm = hmc (Default)
#       hmc
#         engine = nuts (Default)
#           nuts
#             max_depth = 10 (Default)
#         metric = diag_e (Default)
"""
ADAPTED = """# Adaptation terminated
# Step size = 0.5
# Diagonal elements of inverse mass matrix:
# 1, 1
"""
ELAPSED = """#
#  Elapsed Time: 0.01 seconds (Warm-up)
#                0.02 seconds (Sampling)
#                0.03 seconds (Total)
#
"""
STATS = "lp__,accept_stat__,stepsize__,treedepth__,n_leapfrog__,divergent__,energy__"
MATRIX = "m.1.1,m.2.1,m.1.2,m.2.2,m.1.3,m.2.3"


def sample() -> None:
    with open(files["data"]) as file:
        data = json.load(file)
    start = [0.0] * data["D"]
    if "init" in given:
        with open(given["init"]) as file:
            start = json.load(file)["raw"]
    chain, seed = int(given["id"]), int(given["seed"])
    rng = random.Random(seed * 1000 + chain)
    with open(files["output"], "w") as out:
        out.write(CONFIG.format(**given))
        raw = ",".join(f"raw.{i + 1}" for i in range(data["D"]))
        out.write(f"{STATS},{raw},{MATRIX}\n{ADAPTED}")
        for _ in range(int(given["num_samples"])):
            stats = [-1.5, 0.8, 0.5, 3, 7, int(chain == 2), 2.5]
            draw = [x + rng.gauss(0, 1) for x in start]
            out.write(",".join(map(repr, [*stats, *draw, 11, 21, 12, 22, 13, 23])) + "\n")
        out.write(ELAPSED)
    print("Exception: normal_lpdf: Scale parameter is 0, but must be positive!")
    print(ELAPSED.replace("#", ""))


def main() -> None:
    mode = os.environ.get("STANDIN")
    if words == ["info"]:
        info()
    elif mode == "fail":
        print("Initialization between (-2, 2) failed after 100 attempts.")
        sys.exit(70)
    elif mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "wait":
        time.sleep(600)
    elif words[0] == "log_prob":
        log_prob()
    else:
        sample()


main()
