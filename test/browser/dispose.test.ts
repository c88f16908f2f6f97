/** The end of a model in a page: no promise waits for a worker that is gone. */
import { expect, it } from "vitest";
import { openPage } from "../support/browser.js";

it("disposing ends a drawing and refuses the next one, and can be asked for twice", async () => {
  const open = await openPage("test/browser/dispose-page.ts");
  try {
    expect(await open.page.evaluate(() => window.end())).toEqual({
      underWay: "DisposedError",
      later: "DisposedError",
      disposals: ["resolved", "resolved"],
    });
  } finally {
    await open.close();
  }
});
