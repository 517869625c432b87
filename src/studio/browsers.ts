// Which browsers have WebGPU, and what to do in the one at hand.

/** Since which version, as of 2026. */
export const browsers: readonly { readonly name: string; readonly since: string }[] = [
  { name: "Chrome, Edge, Opera, Brave", since: "113 on Windows, macOS, ChromeOS; 121 on Android; 144 on Linux" },
  { name: "Firefox", since: "141 on Windows, 145 on macOS; Linux by a switch" },
  { name: "Safari", since: "26 on macOS, iPadOS, iOS" },
];

export interface Advice {
  readonly title: string;
  readonly steps: readonly string[];
}

/** Steps for the browser that a user agent names; `secure` is the page's isSecureContext. */
export function advise(userAgent: string, secure: boolean): Advice {
  if (!secure) {
    return { title: "This page came over plain http", steps: ["Browsers give WebGPU only to secure pages.", "Open it by https, or from this machine by http://localhost."] };
  }
  const restart = "Restart the browser and open this page again.";
  if (/Firefox\//.test(userAgent)) {
    return { title: "In Firefox", steps: ["Update to the newest Firefox.", "Open about:config and set dom.webgpu.enabled to true.", "On Linux, set gfx.webgpu.ignore-blocklist to true as well.", restart] };
  }
  if (/Chrome\/|Chromium\/|Edg\//.test(userAgent)) {
    const linux = /Linux/.test(userAgent) && !/Android/.test(userAgent);
    return {
      title: "In Chrome and its relatives",
      steps: [
        "Update to the newest version.",
        "In the settings, under System, switch on “Use graphics acceleration when available”.",
        linux ? "On Linux, open chrome://flags and enable “Vulkan” and “Unsafe WebGPU Support”." : "If it is still missing, open chrome://flags and enable “Unsafe WebGPU Support”.",
        restart,
      ],
    };
  }
  if (/Safari\//.test(userAgent)) {
    return { title: "In Safari", steps: ["Update to macOS, iPadOS or iOS 26, whose Safari has WebGPU.", "On macOS 15, open Safari’s settings, Feature Flags, and switch on WebGPU.", restart] };
  }
  return { title: "Another browser", steps: ["Open this page in one of the browsers below, in its newest version."] };
}
