import Adapters
import Bundles
import Conversion
import JSON
import Kernels
import Models
import SystemPackage
import Tensors
import Tokenizers

extension Description {
  /// What a model is: everything that decides what it computes, on one screen.
  init(ofModel path: FilePath, listsTensors: Bool) throws {
    let files = try ModelFiles(path)
    let configuration = try files.configuration()
    let infos = files.tensors.tensorInfos
    let types = TypeSummary(infos)
    self.init(path, files.form.rawValue)
    add("architecture", configuration.architecture.displayName)
    add("parameters", groupedText(types.elementCount), json: .integer(types.elementCount))
    add("weights", types.sizeText, json: types.json)
    add("shape", configuration.shapeText, json: configuration.shapeJSON)
    add("positions", groupedText(configuration.maximumPositionCount))
    add("rope", configuration.ropeText)
    if let text = configuration.attentionText { add("attention", text) }
    add("embeddings", configuration.tiesWordEmbeddings ? "tied to the head" : "untied")
    let tokenizer = try files.tokenizer()
    add("tokenizer", tokenizer?.summary ?? "none")
    if let text = tokenizer.flatMap({ configuration.endText($0) }) { add("ends with", text) }
    let templates = try files.chatTemplateTexts()
    add("chat template", templates.summary, json: .array(templates.map { .string($0.name) }))
    if let base = files.bundle?.manifest.base {
      add("made from", "\(base.name)\(base.fingerprintText)")
    } else if let fingerprint = files.statedFingerprints?.first {
      add("made from", "the model \(fingerprint.prefix(12))", json: .string(fingerprint))
    }
    let kernels = try Kernels(threadCount: 1)
    let adapters = try files.adapterPaths.map { try Adapter($0, with: kernels) }
    let merged = files.appliedAdapters.filter { $0.path == nil }
    let lines =
      merged.map { "\($0.name): \($0.mergedModules.count) modules merged" }
      + adapters.map { "\($0.name): \($0.kindText)" }
    add(
      "adapters", lines.isEmpty ? "none" : lines.joined(separator: "; "),
      json: .array(lines.map { .string($0) }))
    let oddities = files.warnings + configuration.oddities(tokenizer, infos, templates, files)
    add(
      "unusual", oddities.isEmpty ? "nothing" : oddities.joined(separator: "; "),
      json: .array(oddities.map { .string($0) }))
    append("types", types.table, json: types.json)
    if listsTensors { list(infos) }
  }
}

extension Description {
  /// Adds the fingerprint of a model.
  mutating func addIdentity(of path: FilePath) throws {
    let files = try ModelFiles(path)
    let bar = ProgressBar("Reading", total: files.weightByteCount, unit: .bytes)
    let identity = try bar.during {
      try IdentityCache().identity(of: files, with: try Kernels()) { bar.advance(by: $0) }
    }
    add("fingerprint", identity.fingerprint)
  }
}

extension Tokenizer {
  /// `byte-level BPE, 128 256 tokens (256 control), begins with <|begin_of_text|> (128000)`.
  fileprivate var summary: String {
    var text =
      "\(algorithmText), \(groupedText(vocabularySize)) tokens (\(controlTokenCount) control)"
    let around = specialTokensAround
    if !around.before.isEmpty { text += ", begins texts with \(spelled(around.before))" }
    if !around.after.isEmpty { text += ", ends them with \(spelled(around.after))" }
    return text
  }

  fileprivate func spelled(_ ids: [Int]) -> String {
    ids.map { "\(token(for: $0) ?? "?") (\($0))" }.joined(separator: " ")
  }
}

extension [ChatTemplateText] {
  fileprivate var summary: String {
    guard let first else { return "none" }
    let others = dropFirst().map(\.name).joined(separator: ", ")
    return "\(groupedText(first.text.count)) characters"
      + (others.isEmpty ? "" : "; others: \(others)")
  }
}

extension ModelConfiguration {
  fileprivate func endText(_ tokenizer: Tokenizer) -> String? {
    endOfTextTokens.isEmpty ? nil : tokenizer.spelled(endOfTextTokens)
  }

  /// What a reader would not expect, and what trips other programs.
  fileprivate func oddities(
    _ tokenizer: Tokenizer?, _ infos: [TensorInfo], _ templates: [ChatTemplateText],
    _ files: ModelFiles
  ) -> [String] {
    var oddities: [String] = []
    if attentionHeadCount * headDimension != hiddenSize {
      oddities.append("heads are \(queryWidth) wide together, the hidden state \(hiddenSize)")
    }
    let scalar = 1 / (attentionScale * attentionScale)
    if abs(scalar - Float(headDimension)) > 0.01 {
      oddities.append(
        "attention is scaled for heads of \(decimalText(Double(scalar), 1)), not \(headDimension)")
    }
    if let tokenizer {
      if tokenizer.vocabularySize != vocabularySize {
        oddities.append(
          "\(groupedText(vocabularySize)) rows of embeddings for "
            + "\(groupedText(tokenizer.vocabularySize)) tokens")
      }
      let begins = tokenizer.specialTokensAround.before
      if let token = beginningOfTextToken, let first = begins.first, token != first {
        oddities.append(
          "the configuration begins texts with token \(token), the tokenizer \(first)")
      }
    }
    if endOfTextTokens.isEmpty { oddities.append("no token ends a text") }
    for template in templates {
      do {
        _ = try ChatTemplate(template.text, name: template.name)
      } catch {
        oddities.append("the chat template cannot be used: \(error)")
      }
    }
    let slow = Set(infos.map(\.elementType)).filter { $0.isBlocked && $0.panelTwin == nil }
    if !slow.isEmpty {
      let names = slow.map(\.rawValue).sorted().joined(separator: ", ")
      oddities.append("no fast product for \(names)")
    }
    return oddities
  }
}
