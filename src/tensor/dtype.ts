// Element types on the GPU, and the JavaScript arrays that hold them.

export type DType = "f32" | "f16" | "i32" | "u32";

export const BYTES: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** Values of a dtype in JavaScript; f16 as its 16 bits. */
export interface ArrayOf {
  f32: Float32Array<ArrayBuffer>;
  f16: Uint16Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
}

/** A typed array over bytes. */
export function arrayOf<D extends DType>(dtype: D, buffer: ArrayBuffer): ArrayOf[D];
export function arrayOf(dtype: DType, buffer: ArrayBuffer): ArrayOf[DType] {
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer);
    case "f16":
      return new Uint16Array(buffer);
    case "i32":
      return new Int32Array(buffer);
    case "u32":
      return new Uint32Array(buffer);
  }
}
