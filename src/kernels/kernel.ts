// From a .wgsl file to a launch: operands, element types and parameters are read off the shader, so that they are written once.
import type { Binding } from "../gpu/gpu.ts";
import { GpuError } from "../gpu/errors.ts";
import { BYTES, type DType } from "../tensor/dtype.ts";
import { ShapeError } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface KernelDefinition {
  /** The shader's file name; errors and profiles show it. */
  readonly name: string;
  readonly source: string;
  /** WGSL files with shared functions, appended. */
  readonly includes?: readonly string[];
  /** Operands read with strides of their own. Their `<operand>_offset` parameter, in elements, is filled in. */
  readonly strided?: readonly string[];
  /** WGSL extensions besides f16, such as "subgroups". */
  readonly enables?: readonly string[];
}

export interface LaunchOptions {
  /** Floating-point operations, for profiles and plans. */
  readonly flops?: number;
  /** Values of the shader's `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
  /** `const NAME = value;` where WGSL takes no override, such as a register tile. */
  readonly defines?: Readonly<Record<string, number>>;
}

export interface Kernel {
  /**
   * Records a launch. `operands` by the shader's binding names; `workgroups` is a count to be split over the grid
   * (see include/grid.wgsl) or three extents. Throws ShapeError for operands that the shader cannot bind, GpuError past the device's limits.
   */
  run(operands: Readonly<Record<string, Tensor>>, params: Readonly<Record<string, number>>, workgroups: readonly [number] | readonly [number, number, number], options?: LaunchOptions): void;
}

interface Operand {
  readonly name: string;
  readonly element: string;
  readonly strided: boolean;
}

const BINDING = /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(?:read|read_write)>\s*(\w+)\s*:\s*array<(?:(?:vec[24]|atomic)<)?(\w+)>?>/g;
const CONCRETE: Readonly<Record<string, DType>> = { f32: "f32", i32: "i32", u32: "u32" };

/** A kernel of a shader whose entry point is `main`, operands `@group(0)` in order, parameters `struct Params` of 4-byte scalars, bound last. */
export function defineKernel({ name, source, includes = [], strided = [], enables = [] }: KernelDefinition): Kernel {
  const code = [source, ...includes].join("\n");
  const operands: Operand[] = [...source.matchAll(BINDING)]
    .sort((a, b) => Number(a[1]) - Number(b[1]))
    .map(([, , operand, element]) => ({ name: operand, element, strided: strided.includes(operand) }));
  const fields = parseParams(name, source);

  return {
    run(given, params, workgroups, { flops = 0, constants = {}, defines = {} } = {}) {
      const aliases = new Map<string, DType>();
      const bindings = operands.map((operand) => bind(name, operand, given[operand.name], aliases));
      const { gpu } = given[operands[0].name];
      const prelude = preludeOf(aliases, enables, defines);
      const overrides = Object.entries(constants).map(([key, value]) => `${key}=${value}`);
      const filled: Record<string, number> = { ...params };
      operands.forEach((operand, i) => {
        const tensor = given[operand.name];
        if (operand.strided) filled[`${operand.name}_offset`] = tensor.offset - bindings[i].offset / BYTES[tensor.dtype];
      });
      gpu.dispatch({
        spec: { key: `${name}|${prelude}|${overrides}`, label: name, code: `${prelude}\n${code}`, constants },
        bindings,
        params: fields.length ? packParams(name, fields, filled) : null,
        workgroups: gridOf(name, workgroups, gpu.limits.maxComputeWorkgroupsPerDimension),
        flops,
        bytes: operands.reduce((sum, operand) => sum + given[operand.name].bytes, 0),
      });
    },
  };
}

/** What a shader binds for an operand; its element type joins `aliases`. */
function bind(kernel: string, { name, element, strided }: Operand, tensor: Tensor | undefined, aliases: Map<string, DType>): Binding {
  if (!tensor) throw new ShapeError(`${kernel}: operand ${name} is missing`);
  const { gpu, dtype, storage } = tensor;
  const expected = CONCRETE[element] ?? aliases.get(element);
  if (expected && expected !== dtype) throw new ShapeError(`${kernel}: ${name} expected ${expected}, got ${dtype}`);
  if (!CONCRETE[element]) aliases.set(element, dtype);
  const binding = strided ? spanOf(tensor) : tensor.binding();
  if (!binding) throw new ShapeError(`${kernel}: ${name} is a view that this kernel cannot read; make it contiguous first`);
  if (binding.bytes > gpu.limits.maxStorageBufferBindingSize) {
    throw new GpuError("unsupported", `${kernel}: ${name} takes ${binding.bytes} bytes, this device binds ${gpu.limits.maxStorageBufferBindingSize} at once`);
  }
  if (storage.released) throw new Error(`${kernel}: ${name} was disposed`);
  return binding;
}

/** From the aligned start below the first element to the end of the last. */
function spanOf({ gpu, storage, shape, strides, offset, dtype }: Tensor): Binding {
  const align = gpu.limits.minStorageBufferOffsetAlignment;
  const start = Math.floor((offset * BYTES[dtype]) / align) * align;
  const last = shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], offset);
  return { storage, offset: start, bytes: (last + 1) * BYTES[dtype] - start };
}

function preludeOf(aliases: ReadonlyMap<string, DType>, enables: readonly string[], defines: Readonly<Record<string, number>>): string {
  const extensions = [...enables, ...([...aliases.values()].includes("f16") ? ["f16"] : [])];
  return [
    ...extensions.map((extension) => `enable ${extension};`),
    ...[...aliases].map(([alias, dtype]) => `alias ${alias} = ${dtype};`),
    ...Object.entries(defines).map(([key, value]) => `const ${key} = ${value};`),
  ].join(" ");
}

type Field = readonly [name: string, type: "u32" | "i32" | "f32"];

function parseParams(kernel: string, source: string): Field[] {
  const body = /struct Params\s*\{([^}]*)\}/.exec(source)?.[1].replace(/\/\/.*$/gm, "");
  if (!body) return [];
  return [...body.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, field, type]) => {
    if (type !== "u32" && type !== "i32" && type !== "f32") throw new Error(`${kernel}: parameter ${field} is ${type}; only 4-byte scalars are passed`);
    return [field, type] as const;
  });
}

function packParams(kernel: string, fields: readonly Field[], values: Readonly<Record<string, number>>): Uint32Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 * fields.length));
  fields.forEach(([field, type], i) => {
    const value = values[field];
    if (value === undefined) throw new Error(`${kernel}: parameter ${field} is missing`);
    if (type === "f32") view.setFloat32(4 * i, value, true);
    else if (type === "u32") view.setUint32(4 * i, value, true);
    else view.setInt32(4 * i, value, true);
  });
  return new Uint32Array(view.buffer);
}

/** One count is split over x and y where it passes the limit of one dimension; the shader finds its index by include/grid.wgsl. */
function gridOf(kernel: string, workgroups: readonly number[], limit: number): [number, number, number] {
  const [x, y = 1, z = 1] = workgroups.length === 1 ? [Math.min(workgroups[0], limit), Math.ceil(workgroups[0] / limit)] : workgroups;
  if (![x, y, z].every((n) => Number.isInteger(n) && n >= 0 && n <= limit)) throw new GpuError("unsupported", `${kernel}: a grid of ${workgroups.join(" × ")} workgroups, this device allows ${limit} a dimension`);
  return [x, y, z];
}
