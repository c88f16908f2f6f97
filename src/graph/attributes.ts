/** Node attributes: plain JavaScript values to ONNX's tagged form. */
import { create } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType as Kind, AttributeProtoSchema } from "./gen/onnx_pb.js";
import type { AttributeProto, GraphProto } from "./gen/onnx_pb.js";

/** An integer, a {@link float}, a string, a list of integers or a nested graph; `undefined` leaves the attribute out. */
export type AttributeValue =
  number | string | readonly number[] | { readonly float: number } | { readonly graph: GraphProto } | undefined;

/** Attributes of a node by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Marks a number as a float attribute; a bare number is an integer. */
export function float(value: number): { float: number } {
  return { float: value };
}

/** The attribute's wire form, or nothing. */
export function attribute(name: string, value: AttributeValue): AttributeProto[] {
  if (value === undefined) return [];
  if (typeof value === "number") return [create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value) })];
  if (typeof value === "string") {
    return [create(AttributeProtoSchema, { name, type: Kind.STRING, s: new TextEncoder().encode(value) })];
  }
  if ("float" in value) return [create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value.float })];
  if ("graph" in value) return [create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: value.graph })];
  return [create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(BigInt) })];
}
