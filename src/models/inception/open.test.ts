import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../../test/support/temporary.js";
import { zipBytes } from "../../../test/support/torch-file.js";
import { CheckpointError } from "../../errors.js";
import { openInception } from "./open.js";

describe("openInception", () => {
  it("refuses a TorchScript program and says which file has the same weights", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "inception-2015-12-05.pt");
      const deflated = { bytes: Uint8Array.of(3, 0), method: 8 };
      const names = ["data.pkl", "code/__torch__/torch_utils/persistence.py", "constants.pkl"];
      await writeFile(path, zipBytes(names.map((name) => ({ name: `inception/${name}`, ...deflated }))));
      await expect(openInception(path)).rejects.toThrow(
        new CheckpointError(
          `${path}: a TorchScript program, which is not executed here; expected pt_inception-2015-12-05-6726825d.pth with the same weights`,
        ),
      );
    }));

  it("leaves other damage to the checkpoint's reader", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "x.pth");
      await writeFile(path, "PK\u0003\u0004 and nothing more");
      await expect(openInception(path)).rejects.toThrow(/zip end: no directory at the end of the archive/);
      await expect(openInception(join(folder, "none.pth"))).rejects.toThrow(/no such file or folder/);
    }));
});
