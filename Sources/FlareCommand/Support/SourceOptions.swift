import Adapters
public import ArgumentParser
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import WeightFiles

/// Options of the commands that run a model which may read a source, whatever they take its text
/// from.
struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A safetensors file with one tensor, the states of a translation model's encoder for FLARE-MT.",
      valueName: "file"))
  var sourceStates: FilePath?

  @Option(
    help: ArgumentHelp(
      "A source that was read before; 'flare cache-source' makes it.", valueName: "file"))
  var sourceCache: FilePath?

  @Option(
    help: ArgumentHelp(
      "How source and target pair: right (their prompts end together) or last (the last source "
        + "state everywhere). Default: what the adapter says.", valueName: "alignment"))
  var sourceAlignment: SourceAlignment?

  @Flag(
    help: "Let the base go on writing the source while the target is decoded, and pair the two.")
  var sourceDecode = false

  /// The source that was asked for; nil when none was.
  ///
  /// - Parameter tokens: of a source text given in another option.
  func source(_ tokens: [Int]?, with kernels: Kernels) throws -> Source? {
    let given: [Source.Content?] = [
      tokens.map { .tokens($0) }, try sourceStates.map { .states(try Self.states(at: $0)) },
      try sourceCache.map { .cache(try SourceCache($0, with: kernels)) },
    ]
    let contents = given.compactMap(\.self)
    guard contents.count <= 1 else {
      throw ValidationError(
        "give one source: a text, '--source-states' or '--source-cache', not several")
    }
    guard let content = contents.first else {
      if sourceDecode || sourceAlignment != nil {
        let option = sourceDecode ? "--source-decode" : "--source-alignment"
        throw ValidationError("'\(option)' says how a source is read, and none is given")
      }
      return nil
    }
    return Source(content, alignment: sourceAlignment, isContinued: sourceDecode)
  }

  private static func states(at path: FilePath) throws -> Tensor {
    let file = try SafetensorsFile(path)
    guard file.tensorInfos.count == 1, let info = file.tensorInfos.first else {
      throw ModelError(
        .tensors, "\(path): holds \(file.tensorInfos.count) tensors, expected one of encoder states"
      )
    }
    return try file.tensor(named: info.name)
  }
}

extension SourceAlignment: ExpressibleByArgument {}
