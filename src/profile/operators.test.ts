import { expect, it } from "vitest";
import { runsOf, type ProfileEntry } from "./operators.js";

const node = (name: string, operator: string, dur: number): ProfileEntry => ({
  ...{ cat: "Node", name, dur },
  args: { op_name: operator },
});
const session = (name: string): ProfileEntry => ({ cat: "Session", name, dur: 1000 });

it("takes the operators of each run, by the part that their names begin with, and none twice", () => {
  const runs = runsOf([
    session("session_initialization"),
    node("mlp/Gemm_7_kernel_time", "Gemm", 2000),
    node("mlp/Gemm_7_fence_before", "Gemm", 5),
    node("Add_8_kernel_time", "Add", 500),
    // A loop's own time is that of the operators in it.
    node("Scan_9_kernel_time", "Scan", 2500),
    session("SequentialExecutor::Execute"),
    session("model_run"),
    node("MatMul_17/MatmulTransposeFusion/_kernel_time", "FusedMatMul", 100),
    session("model_run"),
    // A run that was broken off is none.
    node("Add_8_kernel_time", "Add", 500),
  ]);
  expect(runs).toEqual([
    [
      { part: "mlp", operator: "Gemm", seconds: 0.002 },
      { part: "", operator: "Add", seconds: 0.0005 },
    ],
    [{ part: "MatMul_17", operator: "FusedMatMul", seconds: 0.0001 }],
  ]);
});
