import Kernels
import Models
import SystemPackage

/// Opens a bundle and answers a question with the help of its English translation.
///
///     swift run AskWithSource model.flare "Context: …" "Context: …"
@main
struct AskWithSource {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count == 3, let path = arguments.first, let source = arguments.last else {
      print("usage: AskWithSource BUNDLE PROMPT ENGLISH-PROMPT")
      return
    }
    let prompt = arguments[arguments.startIndex + 1]

    let model = try LanguageModel(FilePath(path), with: Kernels())
    let options = GenerationOptions(maximumTokenCount: 16)
    let plain = try model.generate(from: prompt, options)
    let fused = try model.generate(from: prompt, source: source, options)
    print("without the translation: \(plain)")
    print("with the translation:    \(fused)")
  }
}
