import ArgumentParser
import Bundles
import Conversion
import SystemPackage

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what a model, an adapter or a trainer's checkpoint is.",
    discussion: """
      Of an adapter it says what a merge would make of each module, before anyone waits for one.

      EXAMPLE:
        flare inspect samples/llama/base
        flare inspect samples/llama/flare-add_relu
      """)

  @Argument(
    help: "A model, an adapter, a name in the store, or a pickled checkpoint of FLARE's trainer.",
    completion: .file(), transform: FilePath.pathOrName)
  var path: FilePath

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Compute the fingerprint of a model, which reads all of its weights.")
  var identity = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    var description =
      if TrainerConversion.isPickled(path) {
        try Description(ofCheckpoint: path, listsTensors: tensors)
      } else if AdapterConversion.isAdapter(path) {
        try Self.describeAdapter(path, listsTensors: tensors)
      } else if Bundle.isBundle(path), try BundleManifest(at: path).kind == .delta {
        try Description(ofDelta: path, listsTensors: tensors)
      } else {
        try Description(ofModel: path, listsTensors: tensors)
      }
    if identity { try description.addIdentity(of: path) }
    if json { writeJSON(description.json) } else { standardOutput.write(description.text) }
  }

  private static func describeAdapter(
    _ path: FilePath, listsTensors: Bool
  ) throws -> Description {
    guard !listsTensors else {
      throw ValidationError(
        "'--tensors' is for models and checkpoints; an adapter's modules are listed anyway")
    }
    return try Description(ofAdapter: path)
  }
}
