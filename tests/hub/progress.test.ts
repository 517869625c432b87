// The progress of a load: sums over files, speed over the last seconds, time left, at most 20 reports a second.
import { expect, test } from "vitest";
import { type LoadProgress, ProgressMeter } from "../../src/hub/progress.ts";

function meter(): { meter: ProgressMeter; reports: LoadProgress[]; at(seconds: number): void } {
  let now = 0;
  const reports: LoadProgress[] = [];
  return { meter: new ProgressMeter("download", (report) => reports.push(report), () => now), reports, at: (seconds) => { now = 1000 * seconds; } };
}

test("sums over files, with speed and time left", () => {
  const { meter: m, reports, at } = meter();
  m.expect("a", 1000);
  expect(reports.at(-1)).toEqual({ status: "download", file: "a", loaded: 0, total: 1000, bytesPerSecond: 0, secondsLeft: Infinity });
  at(1);
  m.advance("a", 100);
  m.expect("b", 500);
  at(2);
  m.advance("b", 300);
  expect(reports.at(-1)).toEqual({ status: "download", file: "b", loaded: 400, total: 1500, bytesPerSecond: 200, secondsLeft: 5.5 });
  at(10);
  m.advance("a", 900);
  at(11);
  m.advance("b", 200);
  expect(reports.at(-1)).toMatchObject({ loaded: 1500, total: 1500, bytesPerSecond: 200, secondsLeft: 0 }); // of the last 3 seconds
});

test("bytes that were there before are no speed; what is forgotten leaves the sums", () => {
  const { meter: m, reports, at } = meter();
  m.expect("a", 100);
  m.expect("b", 1000, 900);
  at(1);
  m.advance("b", 50);
  expect(reports.at(-1)).toMatchObject({ loaded: 950, total: 1100, bytesPerSecond: 50, secondsLeft: 3 });
  m.forget("b");
  m.forget("c");
  at(2);
  m.advance("a", 50);
  expect(reports.at(-1)).toMatchObject({ loaded: 50, total: 100, bytesPerSecond: 50 });
  m.advance("b", 50);
  at(3);
  m.advance("a", 70); // more than is left: read again
  expect(reports.at(-1)).toMatchObject({ loaded: 100, total: 100 });
});

test("reports are at least 50 ms apart but for the last", () => {
  const { meter: m, reports, at } = meter();
  m.expect("a", 1000);
  for (let i = 1; i <= 1000; i++) {
    at(i / 1000);
    m.advance("a", 1);
  }
  expect(reports.length).toBeLessThanOrEqual(22);
  expect(reports.at(-1)).toMatchObject({ loaded: 1000, secondsLeft: 0 });
  m.advance("b", 1); // a file that was not announced does not count
  expect(reports.at(-1)).toMatchObject({ loaded: 1000, total: 1000 });
});
