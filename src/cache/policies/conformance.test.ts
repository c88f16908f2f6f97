/** Every policy through the suite of `policy.case.ts`. */
import { conformance } from "../policy.case.js";
import { choosePolicy, POLICY_NAMES } from "../registry.js";

for (const policy of POLICY_NAMES) {
  conformance(policy, (task, budget) => choosePolicy(policy === "full" ? {} : { policy, budget }, task));
}
conformance("scalekv as the paper has it", (task, budget) =>
  choosePolicy({ policy: "scalekv", budget, scoring: "paper" }, task),
);
