/** The release this is: a later one may draw other pictures, so a run is drawn by one release from end to end. */
import { readFileSync } from "node:fs";

/** As `package.json` has it; the file lies two folders up, from the sources as from the build. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
