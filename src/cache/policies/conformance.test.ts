/** Every policy through the suite of `policy.case.ts`. */
import { madeUpCalibration } from "../../../test/support/calibration.js";
import { conformance } from "../policy.case.js";
import { choosePolicy, POLICY_NAMES } from "../registry.js";

for (const policy of POLICY_NAMES) {
  conformance(
    policy,
    (task, budget) => {
      const calibration = madeUpCalibration(task);
      return choosePolicy(policy === "full" ? {} : { policy, budget, calibration }, task);
    },
    // Whole segments do not add up to a budget, and none fits in a budget below the sinks.
    policy === "heatkv" ? { fills: false, least: 60 } : {},
  );
}
conformance("scalekv as the published code has it", (task, budget) =>
  choosePolicy({ policy: "scalekv", budget, scoring: "reference" }, task),
);
conformance("scalekv without a calibration", (task, budget) => choosePolicy({ policy: "scalekv", budget }, task));
