/**
 * Counts what CONTRIBUTING.md asks for (lengths of files and functions, share of comments) and looks for text that has no
 * place in the repository. Prints a table; ends with 1 where a limit is passed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import ts from "typescript";
import { countComments, functionsOf } from "./syntax.mjs";

const LIMITS = { file: 400, fileMedian: 150, function: 60, functionMedian: 12 };
/** Aim for 15 to 20 %; outside of this the build fails. */
const COMMENTS = { least: 10, most: 30 };

/** Each pattern is written so that it does not match itself. */
const FORBIDDEN = [
  { name: "a path of one machine", pattern: /(?<![\w.~-])\/(?:[w]ork|[t]mp|[r]oot|[h]ome\/\w+|[U]sers\/\w+)\// },
  {
    name: "a package registry's host",
    pattern: /[r]egistry\.(?:npmjs|yarnpkg)|[p]roxy\.golang|[p]ypi\.org|[d]eb\.debian/,
  },
  { name: "a note to oneself", pattern: /\b(?:[T]ODO|[F]IXME|[X]XX)\b/ },
  { name: "the type any", pattern: /(?:[:<|]|\bas)\s*[a]ny\b(?=\s*(?:[;,)\]>=|]|$))/, only: /\.ts$/ },
  { name: "a silenced check", pattern: /@ts-[i]gnore|@ts-[n]ocheck|eslint-[d]isable/, only: /\.[cm]?[jt]s$/ },
];

/** Not ours to shorten: generated code, recorded data, model files. */
const NOT_OURS = /^(?:package-lock\.json|src\/graph\/gen\/|test\/golden\/|models\/.*\.(?:pth|safetensors|json)$)/;

const files = ourFiles();
const code = files.filter((path) => /\.(?:ts|mjs|cjs|js)$/.test(path)).map(measure);
const library = code.filter(({ path }) => path.startsWith("src/") && !path.endsWith(".test.ts"));
const problems = [...lengthProblems(code), ...files.flatMap(forbiddenText), ...printTable(library)];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Everything git knows or would add. */
function ourFiles() {
  const list = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  return list.split("\n").filter((path) => path !== "" && !NOT_OURS.test(path) && existsSync(path));
}

function measure(path) {
  const text = readFileSync(path, "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const written = text.split("\n").filter((line) => line.trim() !== "").length;
  return {
    path,
    lines: text.replace(/\n$/, "").split("\n").length,
    written,
    comments: countComments(source),
    functions: functionsOf(source),
  };
}

function lengthProblems(measured) {
  const long = measured.filter(({ lines }) => lines > LIMITS.file);
  const longFunctions = measured.flatMap(({ path, functions }) =>
    functions.filter(({ lines }) => lines > LIMITS.function).map((one) => ({ path, ...one })),
  );
  return [
    ...long.map(({ path, lines }) => `${path}: ${lines} lines, more than ${LIMITS.file}`),
    ...longFunctions.map(
      (one) => `${one.path}:${one.line}: ${one.name} has ${one.lines} lines, more than ${LIMITS.function}`,
    ),
  ];
}

/** Text files only: a NUL byte tells the others. */
function forbiddenText(path) {
  const text = readFileSync(path, "utf8");
  if (text.includes("\0")) return [];
  const rules = FORBIDDEN.filter(({ only }) => only === undefined || only.test(path));
  return text
    .split("\n")
    .flatMap((line, index) =>
      rules
        .filter(({ pattern }) => pattern.test(line))
        .map(({ name }) => `${path}:${index + 1}: ${name}: ${line.trim()}`),
    );
}

/** Prints the figures of the library's own source and returns those that pass a limit. */
function printTable(measured) {
  const fileLines = measured.map(({ lines }) => lines);
  const functionLines = measured.flatMap(({ functions }) => functions.map(({ lines }) => lines));
  const share = (100 * sum(measured.map(({ comments }) => comments))) / sum(measured.map(({ written }) => written));
  const rows = [
    [
      "lines of a file, median",
      median(fileLines),
      `at most ${LIMITS.fileMedian}`,
      median(fileLines) <= LIMITS.fileMedian,
    ],
    [
      "lines of a file, longest",
      Math.max(...fileLines),
      `at most ${LIMITS.file}`,
      Math.max(...fileLines) <= LIMITS.file,
    ],
    [
      "lines of a function, median",
      median(functionLines),
      `at most ${LIMITS.functionMedian}`,
      median(functionLines) <= LIMITS.functionMedian,
    ],
    [
      "lines of a function, longest",
      Math.max(...functionLines),
      `at most ${LIMITS.function}`,
      Math.max(...functionLines) <= LIMITS.function,
    ],
    [
      "lines with comments, %",
      Number(share.toFixed(1)),
      `${COMMENTS.least} to ${COMMENTS.most}, aim for 15 to 20`,
      share >= COMMENTS.least && share <= COMMENTS.most,
    ],
  ];
  console.log(`src: ${measured.length} files, ${sum(fileLines)} lines, ${functionLines.length} functions`);
  for (const [name, value, limit] of rows) console.log(`  ${name.padEnd(30)} ${String(value).padStart(6)}   ${limit}`);
  return rows.filter(([, , , good]) => !good).map(([name, value, limit]) => `src: ${name}: ${value}, limit ${limit}`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
