from __future__ import annotations
import argparse, json, sys, subprocess, time
from pathlib import Path
import copying, identity_plan
from copying import Cell
p=argparse.ArgumentParser(); p.add_argument("--only",nargs="+"); p.add_argument("--bases",nargs="+"); p.add_argument("--out",type=Path); p.add_argument("--audio",type=Path); p.add_argument("--threads",type=int); p.add_argument("--seeds",type=int,default=3)
a=p.parse_args()
done={json.dumps(json.loads(l)["cell"],sort_keys=True) for l in a.out.read_text().splitlines()} if a.out.exists() else set()
for cell in identity_plan.cells(a.seeds):
    if (a.only and cell.factor not in a.only) or cell.as_json() in done: continue
    t=time.time()
    if cell.twin:
        said=subprocess.run([sys.executable,copying.__file__,cell.as_json(),"--audio",str(a.audio),"--threads",str(a.threads)],stdout=subprocess.PIPE,text=True,check=True)
        row=json.loads(said.stdout.splitlines()[-1])
    else: row=copying.run(cell,a.audio,a.threads)
    with open(a.out,"a") as f: f.write(json.dumps({"cell":json.loads(cell.as_json())}|row)+"\n")
    print(cell.base,"|",cell.factor,"|",cell.change,"|",cell.recording,cell.seed,row["steps"],row["trained"],round(row["accuracy"],4),round(row["held_out"],4),f"{time.time()-t:.0f} s",flush=True)
