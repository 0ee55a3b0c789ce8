import Files
import SystemPackage
import TestSupport
import Testing

/// Merged checkpoints whose weights are no longer those that their residues belong to.
struct ResidueCommandTests {
  @Test func `residues run beside the weights of their merge, and beside others when told to`()
    throws
  {
    try withTemporaryDirectory { directory in
      let llama = AdapterCommandTests.llama
      func merge(_ adapter: String, _ name: String) throws {
        let process = try FinishedProcess(
          "flare",
          ["merge", llama, "--adapter", "\(llama)/\(adapter)", "--adapter", "\(llama)/flare-add"]
            + ["-o", name], in: directory)
        try #require(process.exitCode == 0, "\(process.errors)")
      }
      try merge("lora", "merged")
      try merge("lora-2", "other")
      let works = [
        ["logits", "merged", "--tokens", "5,6", "--source-tokens", "7,8", "-o", "logits"],
        ["convert", "merged", "-o", "bundle"],
        ["merge", "merged", "--adapter", "\(llama)/lora", "-o", "again"],
      ]
      for work in works {
        let sound = try FinishedProcess("flare", work, in: directory)
        #expect(sound.exitCode == 0 && !sound.errors.contains("its adapters"), "\(sound.errors)")
        directory.appending(work[work.count - 1]).removeItem()
      }
      let weights = "model.safetensors"
      try directory.appending("merged").appending(weights).overwrite(
        directory.appending("other").appending(weights).readBytes())
      for work in works {
        let refused = try FinishedProcess("flare", work, in: directory)
        #expect(refused.exitCode == 65, "\(work)")
        #expect(refused.errors.hasPrefix("flare: merged/flare.json: its adapters run beside"))
        #expect(
          refused.errors.hasSuffix(". Pass --allow-base-mismatch to use it all the same\n"),
          "\(refused.errors)")
        let used = try FinishedProcess("flare", work + ["--allow-base-mismatch"], in: directory)
        #expect(used.exitCode == 0, "\(used.errors)")
        #expect(used.errors.contains("Used all the same, as was asked for"), "\(used.errors)")
      }
    }
  }
}
