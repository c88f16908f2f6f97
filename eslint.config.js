import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** Rules of the house that are shapes of syntax. */
const noDefaultExport = {
  selector: "ExportDefaultDeclaration",
  message: "Export by name; default exports are for configuration files.",
};
const noMutableGlobal = {
  selector:
    "Program > VariableDeclaration[kind!='const'], Program > ExportNamedDeclaration > VariableDeclaration[kind!='const']",
  message: "State belongs to an object somebody owns, not to a module.",
};

export default defineConfig(
  globalIgnores(["dist", "coverage", "models", "out", "src/graph/gen", "test/golden"]),
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-restricted-syntax": ["error", noDefaultExport],
      "@typescript-eslint/consistent-type-imports": "error",
      // The compiler's noUncheckedIndexedAccess asks for `!` at every element that a loop has already bounded.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Numbers and flags in messages are what the messages are for.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // ONNX Runtime's reasons reach us as they are.
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingUnknown: true }],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["**/*.test.ts"],
    rules: { "no-restricted-syntax": ["error", noDefaultExport, noMutableGlobal] },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/runtime/**", "**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { group: ["onnxruntime-*", "onnxruntime-*/**"], message: "Only src/runtime imports ONNX Runtime." },
          ],
        },
      ],
    },
  },
  { files: ["*.config.ts", "**/*.d.ts"], rules: { "no-restricted-syntax": "off" } },
  {
    files: ["**/*.{js,mjs,cjs}"],
    languageOptions: {
      globals: { Buffer: "readonly", console: "readonly", module: "writable", process: "readonly", URL: "readonly" },
    },
  },
);
