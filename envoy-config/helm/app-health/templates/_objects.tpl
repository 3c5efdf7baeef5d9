{{/*
The templates hold no manifests: those of the Kustomize folders are linked under files/, so that the two cannot
drift, and come out of here with the values put in.
*/}}

{{/* A file's text with what the values name in many places. Given the root and the path. */}}
{{- define "app-health.text" -}}
{{- $root := index . 0 }}
{{- $namespace := $root.Release.Namespace }}
{{- $values := $root.Values }}
{{- $root.Files.Get (index . 1)
  | replace "namespace: app-health" (printf "namespace: %q" $namespace)
  | replace "app-health-webhook.app-health.svc" (printf "app-health-webhook.%s.svc" $namespace)
  | replace "-n app-health " (printf "-n %s " $namespace)
  | replace "[app-health, kube-system]" (prepend $values.excludedNamespaces $namespace | toJson)
  | replace "matchNames: [app-health]" (printf "matchNames: [%q]" $namespace)
  | replace (printf "app-health-agent:%s" $root.Chart.AppVersion) (include "app-health.image" $root)
  | replace "app-health/filter: \"true\"" (printf "app-health/filter: %q" $values.revision)
  | replace "APP_HEALTH_FILTER: \"true\"" (printf "APP_HEALTH_FILTER: %q" $values.revision)
  | replace "/mutate/filter/true" (printf "/mutate/filter/%s" $values.revision)
  | replace "c.name != 'istio-proxy'" (include "app-health.no-sidecar" $root) }}
{{- end }}

{{/* In CEL, that a container is no sidecar. */}}
{{- define "app-health.no-sidecar" -}}
{{- with .Values.env.APP_HEALTH_SIDECAR }}!(c.name in {{ regexSplit " *, *" (trim .) -1 | toJson }})
{{- else }}c.name != 'istio-proxy'
{{- end }}
{{- end }}

{{- define "app-health.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Adds the recommended labels to metadata. Given the root, the metadata and the component. */}}
{{- define "app-health.label" -}}
{{- $root := index . 0 }}
{{- $metadata := index . 1 }}
{{- $labels := dict
  "app.kubernetes.io/name" "app-health"
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/component" (index . 2)
  "app.kubernetes.io/part-of" "app-health" }}
{{- $_ := set $metadata "labels" (merge $labels (default dict $metadata.labels)) }}
{{- end }}

{{/* An object as it is installed. Given the root, the object and the component. */}}
{{- define "app-health.object" -}}
{{- $root := index . 0 }}
{{- $object := index . 1 }}
{{- include "app-health.label" (list $root $object.metadata (index . 2)) }}
{{- $_ := set $object.metadata.labels "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $object.metadata.labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version) }}
---
{{ toYaml $object }}
{{ end }}

{{/*
Fail where the cluster lacks what a value asks for, before anything is made. (helm template asks no cluster.) Given the
root, what is asked for, and the value.
*/}}
{{- define "app-health.needs-namespace" -}}
{{- if and (include "app-health.cluster" .) (not (lookup "v1" "Namespace" "" (index . 1))) }}
{{- fail (printf "%s: the cluster has no namespace %s" (index . 2) (index . 1)) }}
{{- end }}
{{- end }}
{{- define "app-health.needs-kind" -}}
{{- if and (include "app-health.cluster" .) (not ((index . 0).Capabilities.APIVersions.Has (index . 1))) }}
{{- fail (printf "%s: the cluster has no %s" (index . 2) (index . 1)) }}
{{- end }}
{{- end }}
{{- define "app-health.cluster" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" }}true{{ end }}
{{- end }}
