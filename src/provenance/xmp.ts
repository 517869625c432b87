// The XMP packet (ISO 16684-1) that says a picture was made by a model: IPTC's DigitalSourceType, and the tool's name.

/** IPTC's term for media that a trained model made. */
export const trainedAlgorithmicMedia = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/** Characters; real packets have some thousands. */
const longestPacket = 500_000;
const mostPrefixes = 8;

const xmpNamespace = "http://ns.adobe.com/xap/1.0/";
const iptcNamespace = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";

/** What a packet tells about a picture's origin; null where it says nothing. */
export interface Origin {
  readonly digitalSourceType: string | null;
  readonly creatorTool: string | null;
}

/** The packet for a picture made by a model with this tool ("Kiln 0.1.0"). Nothing of the prompt is in it. */
export function writeXmp(creatorTool: string): string {
  return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
  <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about="" xmlns:xmp="${xmpNamespace}" xmlns:Iptc4xmpExt="${iptcNamespace}">
      <xmp:CreatorTool>${escapeXml(creatorTool)}</xmp:CreatorTool>
      <Iptc4xmpExt:DigitalSourceType>${trainedAlgorithmicMedia}</Iptc4xmpExt:DigitalSourceType>
    </rdf:Description>
  </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`;
}

/**
 * Reads both properties out of anybody's packet, written as elements or as attributes, under any prefix.
 * A scan rather than an XML parser, which neither Node nor a worker has; what it does not find is null.
 */
export function readXmp(xmp: string): Origin {
  if (xmp.length > longestPacket) return { digitalSourceType: null, creatorTool: null };
  return {
    digitalSourceType: property(xmp, iptcNamespace, "DigitalSourceType"),
    creatorTool: property(xmp, xmpNamespace, "CreatorTool"),
  };
}

function property(xmp: string, namespace: string, name: string): string | null {
  const prefixes = new Set<string>();
  for (const [, prefix, double, single] of xmp.matchAll(/xmlns:([\w.-]{1,64})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g)) {
    if ((double ?? single) === namespace && prefixes.size < mostPrefixes) prefixes.add(prefix);
  }
  for (const prefix of prefixes) {
    const qualified = `${prefix.replace(/[.-]/g, "\\$&")}:${name}`;
    const element = new RegExp(`<${qualified}(?:\\s[^<>]*)?>([^<]*)</${qualified}\\s*>`).exec(xmp);
    const attribute = new RegExp(`\\s${qualified}\\s*=\\s*(?:"([^"<]*)"|'([^'<]*)')`).exec(xmp);
    const value = element?.[1] ?? attribute?.[1] ?? attribute?.[2];
    if (value !== undefined && value.trim() !== "") return unescapeXml(value.trim());
  }
  return null;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => Object.keys(entities).find((character) => entities[character] === entity) ?? entity);
}
