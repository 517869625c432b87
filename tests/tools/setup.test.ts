// Setup: apt sources in both formats, and the backports source made from them.
import { expect, test } from "vitest";
import { backportsSource, parseDeb822, parseOneLine } from "../../tools/setup.mjs";

test("deb822: several stanzas, comments, fields on several lines, switched off ones", () => {
  const text = `# the main archive
Types: deb deb-src
URIs: http://mirror.example/debian
# a comment inside
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Enabled: no

Types: deb
URIs:
 http://mirror.example/security
Suites: bookworm-security
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ
 -----END PGP PUBLIC KEY BLOCK-----
`;
  expect(parseDeb822(text)).toEqual([
    {
      types: ["deb", "deb-src"],
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm", "bookworm-updates"],
      signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    },
    {
      types: ["deb"],
      uris: ["http://mirror.example/security"],
      suites: ["bookworm-security"],
      signedBy: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n -----END PGP PUBLIC KEY BLOCK-----",
    },
  ]);
});

test("the one-line format, with and without options", () => {
  const text = `deb [arch=amd64 signed-by=/key.gpg] http://mirror.example/debian bookworm main contrib
# deb http://mirror.example/off bookworm main
deb-src http://mirror.example/debian bookworm main`;
  expect(parseOneLine(text)).toEqual([
    { types: ["deb"], uris: ["http://mirror.example/debian"], suites: ["bookworm"], signedBy: "/key.gpg" },
    { types: ["deb-src"], uris: ["http://mirror.example/debian"], suites: ["bookworm"], signedBy: undefined },
  ]);
});

test("backports come from the mirror of bookworm itself, with its key", () => {
  const security = { types: ["deb"], uris: ["http://a.example/"], suites: ["bookworm-security"], signedBy: undefined };
  const main = { types: ["deb"], uris: ["http://b.example/"], suites: ["bookworm"], signedBy: "/key.gpg" };
  expect(backportsSource([security, main])).toBe(
    "Types: deb\nURIs: http://b.example/\nSuites: bookworm-backports\nComponents: main\nSigned-By: /key.gpg\n",
  );
  expect(backportsSource([{ ...main, signedBy: undefined }])).not.toMatch("Signed-By");
  expect(() => backportsSource([security])).toThrow("no apt source for the suite bookworm");
});
