import Adapters
import ArgumentParser
import Conversion
import Files
import Kernels
import SystemPackage
import Tensors

/// Options of `convert` for what is no model by itself: an adapter, or a checkpoint that holds a
/// base and adapters together.
struct SplitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The model that an adapter is for, or that a trainer began with.", valueName: "model"),
    transform: FilePath.pathOrName)
  var base: FilePath?

  @Option(help: "The alpha of the adapters in a pickled checkpoint, which it does not record.")
  var loraAlpha: Double?

  @Option(help: "The fusion function of a FLARE adapter whose name does not say it.")
  var fusion: String?

  @Option(help: "The heads of a cross-attention adapter in a pickled checkpoint.")
  var attentionHeads: Int?

  @Flag(help: "Leave out tensors of a pickled checkpoint that are no part of the model.")
  var ignoreHeads = false

  /// Refuses what would be ignored where no checkpoint is converted.
  func refuseCheckpointOptions(for what: String) throws {
    let given = [
      ("--lora-alpha", loraAlpha != nil), ("--fusion", fusion != nil),
      ("--attention-heads", attentionHeads != nil), ("--ignore-heads", ignoreHeads),
    ]
    guard let option = given.first(where: \.1)?.0 else { return }
    throw ValidationError("'\(option)' is for a trainer's checkpoint, and \(what) is given")
  }

  func validate() throws {
    guard loraAlpha.map({ Float($0).isFinite && Float($0) != 0 }) ?? true else {
      throw ValidationError(
        "'--lora-alpha' is \(loraAlpha ?? 0), expected a finite number other than 0")
    }
  }

  /// Takes the checkpoint at `path` apart.
  func run(
    _ path: FilePath, to output: FilePath, mayReplace: Bool, with kernels: Kernels
  ) throws {
    let conversion = try TrainerConversion(
      path, to: output, configuration: base.map { $0.appending("config.json") },
      settings: TrainerAdapterSettings(
        alpha: loraAlpha, fusion: fusion, attentionHeadCount: attentionHeads),
      ignoresHeads: ignoreHeads, mayReplace: mayReplace)
    let checkpoint = conversion.checkpoint
    let bar = ProgressBar("Writing", total: conversion.byteCount, unit: .bytes)
    let changes = try bar.during { try conversion.run(with: kernels) { bar.advance(by: $0) } }
    var fields = [("base", "\(output.appending("base"))")]
    fields += checkpoint.adapters.map { ("adapter", "\(output.appending($0.name))") }
    if checkpoint.dequantizedCount > 0 {
      fields.append(("from NF4", "\(checkpoint.dequantizedCount) weights"))
    }
    fields += changes.map { ("config.json", $0) }
    fields += checkpoint.heads.map { ("left out", "\($0.name) \($0.shape)") }
    fields.append(("on disk", byteText(output.treeByteCount)))
    standardOutput.write(fieldsText(fields))
  }
}
