package tls

// oidName returns the short name that a certificate's attribute types have in
// EVE records, "" when there is none. The names are those of the registries in
// RFC 5280, 4519, 2985 and of the vendors; Suricata shows the same.
func oidName(id []byte) string {
	switch string(id) {
	case "\x55\x04\x00": // 2.5.4.0
		return "objectClass"
	case "\x55\x04\x01": // 2.5.4.1
		return "aliasedEntryName"
	case "\x55\x04\x02": // 2.5.4.2
		return "knowledgeInformation"
	case "\x55\x04\x03": // 2.5.4.3
		return "CN"
	case "\x55\x04\x04": // 2.5.4.4
		return "surname"
	case "\x55\x04\x05": // 2.5.4.5
		return "serialNumber"
	case "\x55\x04\x06": // 2.5.4.6
		return "C"
	case "\x55\x04\x07": // 2.5.4.7
		return "L"
	case "\x55\x04\x08": // 2.5.4.8
		return "ST"
	case "\x55\x04\x09": // 2.5.4.9
		return "streetAddress"
	case "\x55\x04\x0a": // 2.5.4.10
		return "O"
	case "\x55\x04\x0b": // 2.5.4.11
		return "OU"
	case "\x55\x04\x0c": // 2.5.4.12
		return "title"
	case "\x55\x04\x0d": // 2.5.4.13
		return "description"
	case "\x55\x04\x0e": // 2.5.4.14
		return "searchGuide"
	case "\x55\x04\x0f": // 2.5.4.15
		return "businessCategory"
	case "\x55\x04\x10": // 2.5.4.16
		return "postalAddress"
	case "\x55\x04\x11": // 2.5.4.17
		return "postalCode"
	case "\x55\x04\x29": // 2.5.4.41
		return "name"
	case "\x55\x04\x2a": // 2.5.4.42
		return "givenName"
	case "\x55\x04\x2b": // 2.5.4.43
		return "initials"
	case "\x55\x04\x2c": // 2.5.4.44
		return "generationQualifier"
	case "\x55\x04\x2d": // 2.5.4.45
		return "uniqueIdentifier"
	case "\x55\x04\x2e": // 2.5.4.46
		return "dnQualifier"
	case "\x55\x1d\x01": // 2.5.29.1
		return "oldAuthorityKeyIdentifier"
	case "\x55\x1d\x02": // 2.5.29.2
		return "oldKeyAttributes"
	case "\x55\x1d\x03": // 2.5.29.3
		return "oldCertificatePolicies"
	case "\x55\x1d\x04": // 2.5.29.4
		return "oldKeyUsage"
	case "\x55\x1d\x05": // 2.5.29.5
		return "oldPolicyMapping"
	case "\x55\x1d\x06": // 2.5.29.6
		return "oldSubtreesConstraint"
	case "\x55\x1d\x07": // 2.5.29.7
		return "oldSubjectAltNAme"
	case "\x55\x1d\x08": // 2.5.29.8
		return "oldIssuerAltNAme"
	case "\x55\x1d\x0e": // 2.5.29.14
		return "subjectKeyIdentifier"
	case "\x55\x1d\x0f": // 2.5.29.15
		return "keyUsage"
	case "\x55\x1d\x10": // 2.5.29.16
		return "privateKeyUsagePeriod"
	case "\x55\x1d\x11": // 2.5.29.17
		return "subjectAltName"
	case "\x55\x1d\x12": // 2.5.29.18
		return "issuerAltName"
	case "\x55\x1d\x13": // 2.5.29.19
		return "basicConstraints"
	case "\x55\x1d\x14": // 2.5.29.20
		return "crlNumber"
	case "\x55\x1d\x15": // 2.5.29.21
		return "reasonCode"
	case "\x55\x1d\x17": // 2.5.29.23
		return "holdInstructionCode"
	case "\x55\x1d\x18": // 2.5.29.24
		return "invalidityDate"
	case "\x55\x1d\x1b": // 2.5.29.27
		return "deltaCRLIndicator"
	case "\x55\x1d\x1c": // 2.5.29.28
		return "issuerDistributionPoint"
	case "\x55\x1d\x1d": // 2.5.29.29
		return "issuer"
	case "\x55\x1d\x1e": // 2.5.29.30
		return "nameConstraints"
	case "\x55\x1d\x1f": // 2.5.29.31
		return "crlDistributionPoints"
	case "\x55\x1d\x20": // 2.5.29.32
		return "certificatePolicies"
	case "\x55\x1d\x21": // 2.5.29.33
		return "policyMappings"
	case "\x55\x1d\x23": // 2.5.29.35
		return "authorityKeyIdentifier"
	case "\x55\x1d\x24": // 2.5.29.36
		return "policyConstraints"
	case "\x55\x1d\x25": // 2.5.29.37
		return "extendedKeyUsage"
	case "\x55\x1d\x2e": // 2.5.29.46
		return "freshestCRL"
	case "\x55\x1d\x36": // 2.5.29.54
		return "inhibitantAnyPolicy"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": // 1.2.840.113549.1.9.1
		return "Email"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02": // 1.2.840.113549.1.9.2
		return "unstructuredName"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03": // 1.2.840.113549.1.9.3
		return "contentType"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04": // 1.2.840.113549.1.9.4
		return "id-messageDigest"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05": // 1.2.840.113549.1.9.5
		return "signing-time"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07": // 1.2.840.113549.1.9.7
		return "challengePassword"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e": // 1.2.840.113549.1.9.14
		return "extensionRequest"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f": // 1.2.840.113549.1.9.15
		return "smimeCapabilities"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14": // 1.2.840.113549.1.9.20
		return "friendlyName"
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01": // 0.9.2342.19200300.100.1.1
		return "uid"
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": // 0.9.2342.19200300.100.1.25
		return "DC"
	case "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x01": // 1.3.6.1.4.1.311.60.2.1.1
		return "msJurisdictionLocality"
	case "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x02": // 1.3.6.1.4.1.311.60.2.1.2
		return "msJurisdictionStateOrProvince"
	case "\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03": // 1.3.6.1.4.1.311.60.2.1.3
		return "msJurisdictionCountry"
	case "\x2b\x06\x01\x05\x05\x07\x01\x01": // 1.3.6.1.5.5.7.1.1
		return "authorityInfoAccess"
	case "\x2b\x06\x01\x05\x05\x07\x30\x01": // 1.3.6.1.5.5.7.48.1
		return "id-ad-ocsp"
	case "\x2b\x06\x01\x05\x05\x07\x30\x02": // 1.3.6.1.5.5.7.48.2
		return "id-ad-caIssuers"
	case "\x2b\x06\x01\x05\x05\x07\x30\x03": // 1.3.6.1.5.5.7.48.3
		return "id-ad-timestamping"
	case "\x2b\x06\x01\x05\x05\x07\x30\x04": // 1.3.6.1.5.5.7.48.4
		return "id-ad-dvcs"
	case "\x2b\x06\x01\x05\x05\x07\x30\x05": // 1.3.6.1.5.5.7.48.5
		return "id-ad-caRepository"
	case "\x2b\x06\x01\x05\x05\x07\x30\x06": // 1.3.6.1.5.5.7.48.6
		return "id-ad-http-certs"
	case "\x2b\x06\x01\x05\x05\x07\x30\x07": // 1.3.6.1.5.5.7.48.7
		return "id-ad-http-crls"
	case "\x2b\x06\x01\x05\x05\x07\x30\x0a": // 1.3.6.1.5.5.7.48.10
		return "id-ad-rpki-manifest"
	case "\x2b\x06\x01\x05\x05\x07\x30\x0b": // 1.3.6.1.5.5.7.48.11
		return "id-ad-signed-object"
	case "\x2b\x06\x01\x05\x05\x07\x30\x0c": // 1.3.6.1.5.5.7.48.12
		return "id-ad-cmc"
	case "\x2b\x06\x01\x05\x05\x07\x30\x0d": // 1.3.6.1.5.5.7.48.13
		return "id-ad-rpki-notify"
	case "\x2b\x06\x01\x05\x05\x07\x30\x0e": // 1.3.6.1.5.5.7.48.14
		return "id-ad-stirTNList"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x01": // 2.16.840.1.113730.1.1
		return "nsCertType"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x02": // 2.16.840.1.113730.1.2
		return "nsBaseURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x03": // 2.16.840.1.113730.1.3
		return "nsRevocationURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x04": // 2.16.840.1.113730.1.4
		return "nsCARevocationURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x05": // 2.16.840.1.113730.1.5
		return "nsCACRLURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x06": // 2.16.840.1.113730.1.6
		return "nsCACertURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x07": // 2.16.840.1.113730.1.7
		return "nsRenewalURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x08": // 2.16.840.1.113730.1.8
		return "nsCAPolicyURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x09": // 2.16.840.1.113730.1.9
		return "nsHomepageURL"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x0a": // 2.16.840.1.113730.1.10
		return "nsEntityLogo"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x0b": // 2.16.840.1.113730.1.11
		return "nsUserPicture"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x0c": // 2.16.840.1.113730.1.12
		return "nsSSLServerName"
	case "\x60\x86\x48\x01\x86\xf8\x42\x01\x0d": // 2.16.840.1.113730.1.13
		return "nsComment"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": // 1.2.840.113549.1.1.1
		return "rsaEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02": // 1.2.840.113549.1.1.2
		return "md2WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03": // 1.2.840.113549.1.1.3
		return "md4WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04": // 1.2.840.113549.1.1.4
		return "md5WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05": // 1.2.840.113549.1.1.5
		return "sha1WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08": // 1.2.840.113549.1.1.8
		return "id-mgf1"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a": // 1.2.840.113549.1.1.10
		return "rsassa-pss"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b": // 1.2.840.113549.1.1.11
		return "sha256WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c": // 1.2.840.113549.1.1.12
		return "sha384WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d": // 1.2.840.113549.1.1.13
		return "sha512WithRSAEncryption"
	case "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e": // 1.2.840.113549.1.1.14
		return "sha224WithRSAEncryption"
	case "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02": // 1.3.6.1.4.1.11129.2.4.2
		return "ctSCTList"
	case "\x2b\x0e\x03\x02\x1a": // 1.3.14.3.2.26
		return "id-SHA1"
	case "\x60\x86\x48\x01\x65\x03\x04\x02\x01": // 2.16.840.1.101.3.4.2.1
		return "sha256"
	}
	return ""
}
