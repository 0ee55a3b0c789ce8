import Adapters
import Tensors
import TestSupport
import Testing

/// Adapters trained on a model that also reads images, of which Flare runs the text model.
struct MultimodalAdapterTests {
  static let pair = AdapterFiles().tensors.map(\.1)

  /// The adapter with its one layer under another name, and others beside it.
  func read(_ modules: String...) throws -> Adapter {
    try AdapterFiles().with(
      tensors: modules.flatMap { module in
        zip(["lora_A", "lora_B"], Self.pair).map { half, tensor in
          ("base_model.model.\(module).\(half).weight", tensor)
        }
      }
    ).read()
  }

  static let imageModule = "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj"

  @Test(arguments: ["model.language_model.", "language_model.model."])
  func `its modules are those of the text model`(prefix: String) throws {
    let adapter = try read("\(prefix)layers.0.self_attn.q_proj")
    #expect(adapter.updates.map(\.module) == [AdapterFiles.module])
    #expect(adapter.notes.isEmpty)
  }

  @Test(arguments: ["", "model."])
  func `what it does to images is left out with a note`(prefix: String) throws {
    let adapter = try read(
      "model.language_model.layers.0.self_attn.q_proj", "\(prefix)\(Self.imageModule)")
    #expect(adapter.updates.map(\.module) == [AdapterFiles.module])
    #expect(adapter.notes == ["what it changes about images is left out (1 of its modules)"])
  }

  @Test func `one that only does something to images is refused`() throws {
    let error = #expect(throws: AdapterError.self) { try read(Self.imageModule) }
    #expect(error?.description.contains("changes only what a model makes of images") == true)
  }
}
