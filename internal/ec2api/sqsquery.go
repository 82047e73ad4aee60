package ec2api

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// SQS speaks JSON. Clients from before 2023 (the AWS CLI of Debian 12 among them) speak
// the Query protocol with flattened lists; their forms are given the names of the JSON
// protocol here, and the answers theirs.

// sqsLists are the names that lists have in forms; entries of batches come beside them.
func sqsLists() map[string]string {
	return map[string]string{
		"AttributeName": "AttributeNames", "MessageAttributeName": "MessageAttributeNames", "MessageSystemAttributeName": "MessageSystemAttributeNames", "TagKey": "TagKeys",
		"DeleteMessageBatchRequestEntry": "Entries", "SendMessageBatchRequestEntry": "Entries", "ChangeMessageVisibilityBatchRequestEntry": "Entries",
	}
}

// sqsMaps are the names that maps have in forms.
func sqsMaps() map[string]string {
	return map[string]string{"Attribute": "Attributes", "MessageAttribute": "MessageAttributes", "MessageSystemAttribute": "MessageSystemAttributes", "Tag": "Tags"}
}

// decodeSQSForm reads a request in the Query protocol. Older clients post to the queue's
// URL and may leave QueueUrl out.
func decodeSQSForm(act *wireAction, form map[string]string, path string) (*node, *Error) {
	root := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if ignored(name) {
			continue
		}
		if !unfold(root, strings.Split(name, "."), form[name]) {
			return nil, errorf("InvalidParameterValue", "The parameter %s is not valid", clip(name))
		}
	}
	if _, ok := root["QueueUrl"]; !ok && act.in.members["QueueUrl"] != nil && len(path) > 1 {
		root["QueueUrl"] = path
	}
	tree, _ := jsonNames(root).(map[string]any)
	if tags, ok := tree["Tags"]; ok && act.name == "CreateQueue" {
		tree["tags"] = tags
	}
	budget := maxParams
	n, ok := fromAny(act.in, tree, &budget, 0)
	if !ok {
		return nil, errorf("InvalidParameterValue", "The request is not valid")
	}
	return n, nil
}

// unfold puts text where a dotted name says.
func unfold(m map[string]any, name []string, text string) bool {
	if len(name) > maxDepth {
		return false
	}
	for ; len(name) > 1; name = name[1:] {
		kid, there := m[name[0]]
		sub, ok := kid.(map[string]any)
		if there && !ok {
			return false
		}
		if !there {
			sub = map[string]any{}
			m[name[0]] = sub
		}
		m = sub
	}
	if _, twice := m[name[0]]; twice {
		return false
	}
	m[name[0]] = text
	return true
}

// jsonNames gives the members of a form the names and forms that they have in JSON.
func jsonNames(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, kid := range m {
		sub, nested := kid.(map[string]any)
		switch {
		case nested && sqsLists()[k] != "":
			list := []any{}
			for _, i := range numbered(sub) {
				list = append(list, jsonNames(sub[i]))
			}
			out[sqsLists()[k]] = list
		case nested && sqsMaps()[k] != "":
			pairs := map[string]any{}
			for _, i := range numbered(sub) {
				pair, _ := sub[i].(map[string]any)
				name, ok := pair["Name"].(string)
				if !ok {
					name, ok = pair["Key"].(string)
				}
				if ok {
					pairs[name] = jsonNames(pair["Value"])
				}
			}
			out[sqsMaps()[k]] = pairs
		default:
			out[k] = jsonNames(kid)
		}
	}
	return out
}

// numbered returns the keys of m that are numbers, in their order.
func numbered(m map[string]any) []string {
	var keys []string
	for k := range m {
		if _, err := strconv.Atoi(k); err == nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return keys
}

// sqsAny writes an answer as XML with flattened lists and maps.
func (x *xmlWriter) sqsAny(action string, o object) {
	for _, f := range o {
		switch v := f.value.(type) {
		case dict:
			key := "Name"
			if f.name == "Tags" {
				key = "Key"
			}
			for _, p := range v {
				x.group(strings.TrimSuffix(f.name, "s"), func() {
					x.str(key, p.name)
					if o, ok := p.value.(object); ok {
						x.group("Value", func() { x.sqsAny(action, o) })
					} else {
						x.any("Value", p.value)
					}
				})
			}
		case []any:
			name := map[string]string{"QueueUrls": "QueueUrl", "Messages": "Message", "Successful": action + "ResultEntry", "Failed": "BatchResultErrorEntry"}[f.name]
			for _, e := range v {
				if o, ok := e.(object); ok {
					x.group(name, func() { x.sqsAny(action, o) })
				} else {
					x.any(name, e)
				}
			}
		default:
			x.any(f.name, v)
		}
	}
}

// queryCode is the code that an error of SQS has in the Query protocol; clients of the
// JSON protocol get it in a header. AWS: SQS JSON protocol, error mapping.
func queryCode(code string) string {
	switch code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct", "MessageNotInflight", "UnsupportedOperation":
		return "AWS.SimpleQueueService." + code
	}
	return code
}
