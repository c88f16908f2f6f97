import { expect, it } from "vitest";
import { followingPage } from "./prompt-following-page.js";
import { describeReading, followingTable, type CheckedPicture } from "./prompt-following-report.js";

const PICTURE: CheckedPicture = {
  ...{ file: "out/images/00000.png", shown: true, missing: [] },
  asked: {
    ...{ id: "single-00", category: "single", prompt: 'a "star" & <more>', check: ["names"], kind: "one" },
    ...{ names: ["star"], count: 1, relation: null, style: null, background: null },
  },
  reading: {
    ...{ objects: [{ name: "star", style: "flat", unexplained: 0.1, rivalry: 0.2 }], relation: null },
    ...{ background: ["red", "blue"], beside: 0, clear: true },
  },
};
const WRONG: CheckedPicture = {
  ...{ ...PICTURE, file: "out/images/00001.png", shown: false, missing: ["names"] },
  reading: { ...PICTURE.reading, background: undefined, clear: false },
};
const REPORT = { model: "<m>", pictures: [PICTURE, WRONG] };

it("shows every picture by its place beside the page, the wrong ones first, and escapes what it quotes", () => {
  const page = followingPage(REPORT, "out/index.html");
  expect(page.indexOf("images/00001.png")).toBeLessThan(page.indexOf("images/00000.png"));
  expect(page).toContain('<figure class="wrong"><img loading="lazy" alt="" src="images/00001.png">');
  expect(page).toContain("a &quot;star&quot; &amp; &lt;more&gt;<small>right</small>");
  expect(page).toContain("<small>unclear; wrong: names</small>");
  expect(page).not.toContain("<more>");
  expect(followingPage(REPORT, "elsewhere/index.html")).toContain('src="../out/images/00000.png"');
});

it("says in words what is seen", () => {
  expect(describeReading(PICTURE)).toBe("flat star on red to blue");
  expect(describeReading(WRONG)).toBe("nearest to flat star on a background without a name");
});

it("lines up categories", () => {
  expect(followingTable(REPORT)).toBe(
    [
      "category  right  of   share  95 % interval  unclear",
      "single        1   2  50.0 %     9.5–90.5 %        0",
      "all           1   2  50.0 %     9.5–90.5 %        0\n",
    ].join("\n"),
  );
});
