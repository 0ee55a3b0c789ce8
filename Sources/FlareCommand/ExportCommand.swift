import ArgumentParser
import Bundles
import Conversion
import Files
import JSON
import Kernels
import Models
import SystemPackage

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a folder for a hub, or for Ollama.",
    discussion: """
      --hf writes a Hugging Face directory with a model card that states base, adapters, what was \
      done, licence and measured quality. --ollama writes a GGUF file with the adapters merged and a \
      Modelfile, since Ollama imports no adapters.

      EXAMPLE:
        flare eval merged --data test.jsonl --json > quality.json
        flare export base --adapter task-lora --hf out --license apache-2.0 --quality quality.json
        flare export base --adapter task-lora --ollama out --quantize q4_k_m
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(help: "The folder for a hub to write.")
  var hf: FilePath?

  @Option(help: "The folder for Ollama to write.")
  var ollama: FilePath?

  @Option(help: "For Ollama: a preset of llama.cpp or a float type (default: as the weights are).")
  var quantize: QuantizationArgument?

  @Option(
    help: "The licence: an SPDX expression or a name (default: what a bundle says).")
  var license: String?

  @Option(help: "What the base is called on a hub (default: the name of its path).")
  var baseName: String?

  @Option(help: "What 'flare eval --json' printed, for the model card.")
  var quality: FilePath?

  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var signature: SignatureOptions
  @OptionGroup var merging: MergingOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var outputArguments: OutputArguments
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard (hf == nil) != (ollama == nil) else {
      throw ValidationError("say what to write: either --hf FOLDER or --ollama FOLDER")
    }
    guard hf == nil || quantize == nil else {
      throw ValidationError("'--quantize' is for --ollama; a hub folder holds float weights")
    }
    guard quantize?.scheme == nil else {
      throw ValidationError(
        "int8 and int4 are for Flare's bundles. Choose a preset for Ollama, such as q4_k_m")
    }
    guard ollama == nil || outputArguments.maxShardSize == nil else {
      throw ValidationError("'--max-shard-size' is for --hf; a Modelfile names one file of weights")
    }
    guard ollama == nil || quality == nil else {
      throw ValidationError("'--quality' is for the model card of --hf")
    }
  }

  func run() throws {
    let kernels = try compute.kernels()
    let files = try signature.open(model)
    let members = try adapters.read(for: files, requiring: try signature.keys(), with: kernels)
    if let hf {
      var request = ConversionRequest(
        model: files, adapters: members, destination: hf, form: .huggingFace,
        elementType: options.dtype?.elementType, isSourceFree: merging.noSource,
        mayReplace: options.overwrite, merging: merging.options)
      let card = try card(of: files, with: kernels)
      request.additionalFiles = { conversion in [("README.md", card.text(for: conversion))] }
      try run(request, outputArguments, with: kernels, json: options.json)
    } else if let ollama {
      let name = "\(files.name).gguf"
      guard PlainPath.isPlain(name) else {
        throw ValidationError("'\(name)' cannot stand in a Modelfile. Rename the model")
      }
      let place = ollama.appending("Modelfile")
      guard options.overwrite || !place.exists else { throw FileError(.exists, place) }
      let folder = try EmptyFolder(ollama, holding: [name, "\(name).partial", "Modelfile"])
      let request = ConversionRequest(
        model: files, adapters: members, destination: ollama.appending(name), form: .gguf,
        preset: quantize?.preset, elementType: options.dtype?.elementType,
        isSourceFree: merging.noSource, mayReplace: options.overwrite, merging: merging.options)
      let modelfile = try OllamaModelfile(
        weights: name, of: files, license: license ?? files.bundle?.manifest.license)
      try run(request, outputArguments, with: kernels, json: options.json)
      if !outputArguments.plan {
        let file = try NewFile(place, mayReplace: options.overwrite)
        try file.write(modelfile.text)
        try file.commit()
      }
      folder.keep()
    }
  }

  private func card(of files: ModelFiles, with kernels: Kernels) throws -> ModelCard {
    let stated = files.statedFingerprints?.first
    let own = try files.isQuantized ? nil : IdentityCache().identity(of: files, with: kernels)
    var card = ModelCard(
      baseName: baseName ?? files.name, baseFingerprint: stated ?? own?.fingerprint,
      license: license ?? files.bundle?.manifest.license)
    if let quality {
      let json = try JSONValue(contentsOf: quality)
      guard let metric = json["metric"]?.string, let share = json["exact_match"]?.number,
        let questions = json["questions"]?.integer
      else {
        throw ModelError(
          .configuration, "\(quality): is not what 'flare eval --json' prints")
      }
      card.quality = [
        (
          "\(metric) (\(json["setting"]?.string ?? "default"))",
          "\(decimalText(share * 100, 1)) % of \(questions) questions"
        )
      ]
    }
    return card
  }
}

/// A folder that is made for some files, and goes away again when nothing came of them.
private final class EmptyFolder {
  private let path: FilePath
  private var isNew = false

  /// - Parameter names: what may be there from an earlier run.
  init(_ path: FilePath, holding names: [String]) throws(FileError) {
    self.path = path
    if path.exists {
      if let other = try path.directoryEntries().first(where: { !names.contains($0) }) {
        throw FileError(
          .notReplaceable, path, detail: "it holds '\(other)', which is no part of an export")
      }
    } else {
      _ = try makeDirectories(
        FilePath(path.lastComponent?.string ?? ""), in: path.removingLastComponent(), for: path)
      isNew = true
    }
  }

  func keep() { isNew = false }

  deinit {
    // An unfinished run that can be gone on with stays.
    if isNew, (try? path.directoryEntries())?.isEmpty == true { removeTree(path) }
  }
}
