/** Products of matrices, which the runtime multiplies many times faster than a loop would. */
import { GraphBuilder } from "../graph/builder.js";
import * as op from "../graph/ops/index.js";
import { Session } from "../runtime/session.js";
import { float32, float64, type Tensor } from "../runtime/tensor.js";

/** Values by the name of their type. */
interface Values {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
}

/** x yᵀ in one precision, on the CPU. Whoever makes one calls `dispose`. */
export class Products<Type extends keyof Values> {
  private constructor(private readonly session: Session) {}

  static async load<Type extends keyof Values>(type: Type): Promise<Products<Type>> {
    const g = new GraphBuilder(`${type} product`);
    const [x, y] = [g.input("x", type, ["rows", "shared"]), g.input("y", type, ["columns", "shared"])];
    g.output("product", op.Gemm(g, x, y), type, ["rows", "columns"]);
    return new Products<Type>(await Session.create(await g.build(), { device: "cpu" }));
  }

  /** x [rows, shared] times the transpose of y [columns, shared] into `product` [rows, columns]; `shared` is the length. */
  async multiply(x: Values[Type], y: Values[Type], shared: number, product: Values[Type]): Promise<void> {
    const [rows, columns] = [x.length / shared, y.length / shared];
    const feeds = { x: this.tensor(x, [rows, shared]), y: this.tensor(y, [columns, shared]) };
    await this.session.run(feeds, { product: this.tensor(product, [rows, columns]) });
  }

  /** Frees the graph. */
  dispose(): Promise<void> {
    return this.session.dispose();
  }

  private tensor(values: Float32Array | Float64Array, shape: readonly number[]): Tensor {
    return values instanceof Float32Array ? float32(values, shape) : float64(values, shape);
  }
}
