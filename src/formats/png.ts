// PNG (W3C, third edition): 8-bit RGB and RGBA, with text and XMP chunks. Our own, since deflate is in every browser and in
// Node (CompressionStream), which leaves filters and chunks; libraries bring a deflate along, and few write iTXt.
import { FormatError } from "./errors.ts";

export interface PngImage {
  readonly width: number;
  readonly height: number;
  /** Rows from the top, [height, width, 3] or [height, width, 4]. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** What a PNG says besides its pixels. */
export interface PngText {
  /** By keyword: 1 to 79 Latin-1 characters. */
  readonly text?: Readonly<Record<string, string>>;
  /** An XMP packet. */
  readonly xmp?: string;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const xmpKeyword = "XML:com.adobe.xmp";
const maxTextBytes = 2 ** 24; // of one compressed text when unpacked

/** A PNG file of the image. Throws FormatError where data and size disagree, or a text cannot be written. */
export async function encodePng({ width, height, data }: PngImage, { text = {}, xmp }: PngText = {}): Promise<Uint8Array<ArrayBuffer>> {
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) throw new FormatError(`png: ${width}×${height} takes 3 or 4 values a pixel, got ${channels}`);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 3 ? 2 : 6, 0, 0, 0], 8); // bit depth, colour type, deflate, adaptive filters, not interlaced
  return joined([
    new Uint8Array(signature),
    ...chunk("IHDR", header),
    ...Object.entries(text).flatMap(([keyword, value]) => textChunk(keyword, value)),
    ...(xmp === undefined ? [] : internationalText(xmpKeyword, xmp)),
    ...chunk("IDAT", await piped(filtered(data, width * channels, channels), new CompressionStream("deflate"))),
    ...chunk("IEND", new Uint8Array()),
  ]);
}

/** The texts of a PNG (tEXt, zTXt, iTXt), by keyword, and its XMP packet. Throws FormatError for a damaged file. */
export async function readPngText(file: Uint8Array): Promise<{ text: Record<string, string>; xmp: string | null }> {
  const texts = new Map<string, string>();
  for (const { type, body } of readChunks(file)) {
    const entry = await readText(type, body);
    if (entry !== null && !texts.has(entry[0])) texts.set(...entry);
  }
  const xmp = texts.get(xmpKeyword) ?? null;
  texts.delete(xmpKeyword);
  return { text: Object.fromEntries(texts), xmp };
}

/** The pixels of a PNG of 8-bit RGB or RGBA, not interlaced. Throws FormatError for any other, and for a damaged one. */
export async function decodePng(file: Uint8Array): Promise<PngImage & { readonly channels: 3 | 4 }> {
  const chunks = readChunks(file);
  const header = chunks[0].body;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (chunks[0].type !== "IHDR" || header.byteLength !== 13) throw new FormatError("png: the first chunk is no header");
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, , , interlaced] = header.subarray(8);
  if (depth !== 8 || (colour !== 2 && colour !== 6) || interlaced !== 0) {
    throw new FormatError(`png: 8-bit RGB or RGBA, not interlaced, expected; got depth ${depth}, colour type ${colour}, interlace ${interlaced}`);
  }
  const channels = colour === 2 ? 3 : 4;
  const size = height * (1 + width * channels);
  const rows = await inflated(joined(chunks.filter(({ type }) => type === "IDAT").map(({ body }) => body)), size);
  if (rows.byteLength !== size) throw new FormatError(`png: ${size} bytes of pixels expected, got ${rows.byteLength}`);
  return { width, height, channels, data: unfiltered(rows, width * channels, channels) };
}

// Filters: each byte less a prediction from its left (a), upper (b) and upper left (c) neighbours.

const predictions: readonly ((a: number, b: number, c: number) => number)[] = [() => 0, (a) => a, (_, b) => b, (a, b) => (a + b) >> 1, paeth];

/** The neighbour nearest to a + b − c (Paeth 1991). */
function paeth(a: number, b: number, c: number): number {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

/** Each row with its filter's number before it: the one whose residuals, as signed bytes, are smallest in sum. */
function filtered(data: PngImage["data"], stride: number, pixel: number): Uint8Array<ArrayBuffer> {
  const height = data.length / stride;
  const out = new Uint8Array(height * (1 + stride));
  const row = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const at = y * stride;
    let least = Infinity;
    predictions.forEach((predict, filter) => {
      let sum = 0;
      for (let x = 0; x < stride; x++) {
        const a = x < pixel ? 0 : data[at + x - pixel];
        const b = y === 0 ? 0 : data[at + x - stride];
        const c = x < pixel || y === 0 ? 0 : data[at + x - stride - pixel];
        row[x] = data[at + x] - predict(a, b, c);
        sum += row[x] < 128 ? row[x] : 256 - row[x];
      }
      if (sum >= least) return;
      least = sum;
      out[y * (1 + stride)] = filter;
      out.set(row, y * (1 + stride) + 1);
    });
  }
  return out;
}

function unfiltered(rows: Uint8Array, stride: number, pixel: number): Uint8Array {
  const height = rows.length / (1 + stride);
  const data = new Uint8Array(height * stride);
  for (let y = 0; y < height; y++) {
    const at = y * stride;
    const predict = predictions[rows[y * (1 + stride)]];
    if (predict === undefined) throw new FormatError(`png: row ${y} has the unknown filter ${rows[y * (1 + stride)]}`);
    for (let x = 0; x < stride; x++) {
      const a = x < pixel ? 0 : data[at + x - pixel];
      const b = y === 0 ? 0 : data[at + x - stride];
      const c = x < pixel || y === 0 ? 0 : data[at + x - stride - pixel];
      data[at + x] = rows[y * (1 + stride) + 1 + x] + predict(a, b, c);
    }
  }
  return data;
}

// Chunks: length, type, body, CRC-32 of type and body.

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
}

function chunk(type: string, body: Uint8Array): Uint8Array[] {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, body.byteLength);
  head.set(new TextEncoder().encode(type), 4);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, crc32([head.subarray(4), body]));
  return [head, body, tail];
}

function readChunks(file: Uint8Array): Chunk[] {
  if (!signature.every((byte, i) => file[i] === byte)) throw new FormatError("png: this is no PNG file");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const chunks: Chunk[] = [];
  for (let at = signature.length; chunks.at(-1)?.type !== "IEND";) {
    const end = at + 12 + (at + 12 <= file.byteLength ? view.getUint32(at) : 0);
    if (end > file.byteLength) throw new FormatError("png: the file ends within a chunk");
    const type = latin1(file.subarray(at + 4, at + 8));
    if (crc32([file.subarray(at + 4, end - 4)]) !== view.getUint32(end - 4)) throw new FormatError(`png: the chunk ${type} is damaged`);
    chunks.push({ type, body: file.subarray(at + 8, end - 4) });
    at = end;
  }
  return chunks;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb8_8320;
  return crc;
});

function crc32(parts: readonly Uint8Array[]): number {
  let crc = 0xffff_ffff;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) crc = crcTable[(crc ^ part[i]) & 0xff] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

// Text: tEXt is Latin-1; iTXt is UTF-8, with a language and a translated keyword, both empty here.

function textChunk(keyword: string, text: string): Uint8Array[] {
  const plain = /^[\n\x20-\x7e\xa1-\xff]*$/.test(text);
  return plain ? chunk("tEXt", joined([keywordBytes(keyword), Uint8Array.from(text, (character) => character.charCodeAt(0))])) : internationalText(keyword, text);
}

function internationalText(keyword: string, text: string): Uint8Array[] {
  if (text.includes("\0")) throw new FormatError(`png: the text "${keyword}" holds a zero character`);
  return chunk("iTXt", joined([keywordBytes(keyword), new Uint8Array(4), new TextEncoder().encode(text)])); // not compressed, "", ""
}

/** The keyword with the zero that ends it. */
function keywordBytes(keyword: string): Uint8Array {
  if (!/^(?! )[\x20-\x7e\xa1-\xff]{1,79}(?<! )$/.test(keyword) || keyword.includes("  ")) throw new FormatError(`png: ${JSON.stringify(keyword)} is no keyword`);
  return Uint8Array.from(`${keyword}\0`, (character) => character.charCodeAt(0));
}

async function readText(type: string, body: Uint8Array): Promise<[keyword: string, text: string] | null> {
  if (type !== "tEXt" && type !== "zTXt" && type !== "iTXt") return null;
  const [keyword, rest] = splitAtZero(body);
  if (type === "tEXt") return [latin1(keyword), latin1(rest)];
  if (type === "zTXt") return [latin1(keyword), latin1(await inflated(rest.slice(1), maxTextBytes))];
  const [, afterLanguage] = splitAtZero(rest.subarray(2));
  const [, bytes] = splitAtZero(afterLanguage);
  return [latin1(keyword), new TextDecoder().decode(rest[0] === 1 ? await inflated(bytes.slice(), maxTextBytes) : bytes)];
}

function splitAtZero(bytes: Uint8Array): [before: Uint8Array, after: Uint8Array] {
  const at = bytes.indexOf(0);
  if (at < 0) throw new FormatError("png: a text chunk without a keyword's end");
  return [bytes.subarray(0, at), bytes.subarray(at + 1)];
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Unpacks zlib data. Throws FormatError where it is damaged or longer than `limit`. */
async function inflated(bytes: Uint8Array<ArrayBuffer>, limit: number): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts: Uint8Array[] = [];
  for (let length = 0; length <= limit;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new FormatError(`png: the compressed data is damaged (${error instanceof Error ? error.message : String(error)})`);
    });
    if (done) return joined(parts);
    parts.push(value);
    length += value.byteLength;
  }
  await reader.cancel();
  throw new FormatError(`png: the compressed data has more than ${limit} bytes`);
}

async function piped(bytes: Uint8Array<ArrayBuffer>, through: CompressionStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(through)).arrayBuffer());
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
