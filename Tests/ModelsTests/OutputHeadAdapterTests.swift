import Adapters
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// A LoRA on the output head, which is a linear layer like any other.
struct OutputHeadAdapterTests {
  func adapter(_ module: String, inputs: Int = 64, outputs: Int = 96) throws -> Adapter {
    try withTemporaryDirectory { directory in
      try directory.appending("adapter_config.json").overwrite(
        "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1, "
          + "\"target_modules\": [\"\(module)\"]}")
      let table = TensorTable([
        "base_model.model.\(module).lora_A.weight": Tensor(
          (0..<inputs).map { Float($0 % 5) * 0.1 }, shape: [1, inputs]),
        "base_model.model.\(module).lora_B.weight": Tensor(
          (0..<outputs).map { Float($0 % 7) * 0.1 }, shape: [outputs, 1]),
      ])
      try SafetensorsPlan(table.tensorInfos).write(
        table, to: directory.appending("adapter_model.safetensors"))
      return try Adapter(directory, with: Kernels(threadCount: 1))
    }
  }

  @Test(arguments: ["lm_head", "model.embed_tokens"])
  func `an adapter on head or embeddings acts at run time as it does merged`(
    module: String
  ) throws {
    let golden = try GoldenModel("llama")
    let adapter = try adapter(module)
    let tokens = try golden.tokens("tokens")
    let base = try golden.files().tensors
    let plan = MergePlan(try AdapterStack([AdapterStack.Member(adapter)]))
    let adapted = try golden.model(running: base, with: [adapter]).logitArray(of: tokens)
    let merged = try golden.model(running: MergedTensors(base, plan, with: golden.kernels()))
      .logitArray(of: tokens)
    expectClose(adapted, merged, within: 1e-3)
    let difference = zip(adapted, try golden.logits("base")).map { abs($0 - $1) }.max()
    #expect(try #require(difference) > 0.1)
  }
}
