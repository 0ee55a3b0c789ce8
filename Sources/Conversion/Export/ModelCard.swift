import Adapters
import Bundles
import JSON
import Models
import SystemPackage
import Tensors

/// The `README.md` of a model folder for a hub: what the model is made of, how, and how good it was
/// measured to be.
public struct ModelCard: Sendable {
  /// The model that it began with, as a hub or a person calls it.
  public var baseName: String
  /// The fingerprint of that model; nil when it has none.
  public var baseFingerprint: String?
  /// An SPDX expression or a name; nil when nobody said.
  public var license: String?
  /// What was measured: a name and a value for each line.
  public var quality: [(name: String, value: String)] = []

  public init(baseName: String, baseFingerprint: String?, license: String?) {
    self.baseName = baseName
    self.baseFingerprint = baseFingerprint
    self.license = license
  }

  /// The text for a conversion that was planned.
  public func text(for conversion: Conversion) -> String {
    let request = conversion.request
    var lines = ["---"]
    // YAML takes a JSON string for a string, whatever is in it.
    func quoted(_ text: String) -> String { JSONValue.string(text).serialized() }
    if let license { lines.append("license: \(quoted(license))") }
    lines += [
      "base_model: \(quoted(baseName))", "library_name: transformers",
      "pipeline_tag: text-generation", "tags:", "- flare",
    ]
    if !conversion.appliedAdapters.isEmpty { lines += ["- lora", "- merge"] }
    lines += [
      "---", "", "# \(request.destination.lastComponent?.string ?? request.name)", "",
      "## What it is made of", "",
    ]
    lines.append(
      "- Base: \(code(baseName))\(baseFingerprint.map { ", fingerprint \(code($0))" } ?? "")")
    if request.model.isQuantized {
      lines.append(
        "- Its weights were quantized before: they are those of the quantized form, as floats")
    }
    for (record, residue) in conversion.appliedAdapters {
      let count = record.mergedModules.count
      let rest =
        residue == nil
        ? "" : "; the rest runs beside the weights, from \(code(record.path ?? ""))"
      lines.append(
        "- Adapter: \(code(record.name)) (\(record.kind)), \(count) modules merged\(rest)")
    }
    lines += ["", "## How", ""]
    let options = request.recipeOptions
    lines.append("- Made by \(code("flare \(flareVersion)"))")
    for (key, value) in options { lines.append("- \(key): \(code(value.serialized()))") }
    for member in request.adapters where member.weight != 1 {
      lines.append("- weight of \(code(member.adapter.name)): \(member.weight)")
    }
    let types = Dictionary(grouping: conversion.tensors.tensorInfos, by: \.elementType)
    for (type, tensors) in types.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      lines.append("- \(type): \(tensors.count) tensors")
    }
    let unstated =
      request.model.file(named: "LICENSE") == nil
      ? "Not stated. That of the base applies to its weights." : "See the file `LICENSE`."
    lines += ["", "## Licence", "", license ?? unstated]
    lines += ["", "## Measured quality", ""]
    lines +=
      quality.isEmpty ? ["Nothing was measured."] : quality.map { "- \($0.name): \($0.value)" }
    return lines.joined(separator: "\n") + "\n"
  }

  private func code(_ text: String) -> String {
    "`\(text.replacing("`", with: "'").replacing("\n", with: " "))`"
  }
}
