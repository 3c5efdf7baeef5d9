{{/* Puts the values into the spec of the Deployment. */}}
{{- define "app-health.deployment" -}}
{{- $root := index . 0 }}
{{- $spec := index . 1 }}
{{- $values := $root.Values }}
{{- $container := index $spec.template.spec.containers 0 }}
{{- $_ := set $spec "replicas" $values.replicas }}
{{- include "app-health.pod" (list $root $spec.template) }}
{{- $_ := set $container "resources" $values.resources }}
{{- $agent := $values.agent }}
{{- if not $agent.enabled }}
{{- $_ := set $spec.template.metadata.annotations "webhook.app-health/agent-image" "" }}
{{- end }}
{{- $env := deepCopy $values.env }}
{{- if not (kindIs "invalid" $agent.resources) }}
{{- $_ := set $env "APP_HEALTH_AGENT_RESOURCES" (kindIs "string" $agent.resources | ternary $agent.resources (toJson $agent.resources)) }}
{{- end }}
{{- if not (kindIs "invalid" $agent.user) }}
{{- $_ := set $env "APP_HEALTH_AGENT_USER" (kindIs "string" $agent.user | ternary $agent.user (int64 $agent.user | toString)) }}
{{- end }}
{{- with $agent.pullSecret }}
{{- $_ := set $env "APP_HEALTH_AGENT_PULL_SECRET" . }}
{{- end }}
{{- $all := list }}
{{- range $container.env }}
{{- if not (hasKey $env .name) }}
{{- $all = append $all . }}
{{- end }}
{{- end }}
{{- range $name, $value := $env }}
{{- $all = append $all (dict "name" $name "value" $value) }}
{{- end }}
{{- $_ := set $container "env" $all }}
{{- end }}

{{/* Puts those into a pod's template that are not the Deployment's alone. */}}
{{- define "app-health.pod" -}}
{{- $values := (index . 0).Values }}
{{- $pod := (index . 1).spec }}
{{- include "app-health.label" (list (index . 0) (index . 1).metadata "webhook") }}
{{- with $values.imagePullSecrets }}
{{- $_ := set $pod "imagePullSecrets" . }}
{{- end }}
{{- with $values.nodeSelector }}
{{- $_ := set $pod "nodeSelector" . }}
{{- end }}
{{- with $values.tolerations }}
{{- $_ := set $pod "tolerations" . }}
{{- end }}
{{- with $values.image.pullPolicy }}
{{- $_ := set (index $pod.containers 0) "imagePullPolicy" . }}
{{- end }}
{{- end }}

{{/* Puts them into a MutatingWebhookConfiguration. */}}
{{- define "app-health.configuration" -}}
{{- $values := (index . 0).Values }}
{{- $object := index . 1 }}
{{- if eq $values.certificate "cert-manager" }}
{{- $source := printf "%s/app-health-webhook-tls" (index . 0).Release.Namespace }}
{{- $_ := set $object.metadata "annotations" (dict "cert-manager.io/inject-ca-from" $source) }}
{{- end }}
{{- $webhooks := list }}
{{- range $object.webhooks }}
{{- $_ := set . "failurePolicy" $values.failurePolicy }}
{{- /* It moves pilot-agent to another port: without an EnvoyFilter nobody would answer on 15020. */}}
{{- if or $values.envoyFilter (ne .name "filter.webhook.app-health") }}
{{- $webhooks = append $webhooks . }}
{{- end }}
{{- if and (eq .name "rewrite.webhook.app-health") (eq $values.rewrite "opt-out") }}
{{- $first := index .namespaceSelector.matchExpressions 0 }}
{{- $_ := set $first "operator" "NotIn" }}
{{- $_ := set $first "values" (list "disabled") }}
{{- end }}
{{- end }}
{{- $_ := set $object "webhooks" $webhooks }}
{{- end }}
