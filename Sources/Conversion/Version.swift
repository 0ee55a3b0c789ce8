/// The version of Flare, which `flare --version` prints and bundles record.
public let flareVersion = "0.1.0"
