// kiln.json of a model's folder: title, licence, training data, and defaults that suit it.
import type { ModelFolder } from "../hub/folder.ts";
import { Config } from "../nn/config.ts";
import type { ModelCard } from "./types.ts";

/** The card, or null where the folder has none. Throws ConfigError if it is no card. */
export async function readModelCard(folder: ModelFolder): Promise<ModelCard | null> {
  const json = await folder.json("kiln.json");
  if (json === null) return null;
  const config = new Config("kiln.json", json);
  const text = (key: string) => String(config.get(key) ?? "");
  const list = (key: string) => {
    const value = config.get(key);
    return Array.isArray(value) ? value.map(String) : [];
  };
  const optional = (key: string) => (config.get(key) === undefined ? undefined : config.number(key));
  const card = {
    title: text("title"),
    licence: text("licence"),
    trainingData: text("trainingData"),
    styles: list("styles"),
    examples: list("examples"),
    numInferenceSteps: optional("numInferenceSteps"),
    guidanceScale: optional("guidanceScale"),
  };
  config.finish();
  return card;
}
