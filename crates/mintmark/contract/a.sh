curl -X GET "https://bff.printprice.pro/api/preflight/jobs/policies" \
-H "Authorization: Bearer ${PREFLIGHT_JWT}" \
-H "X-Tenant-Id: ${ACTIVE_TENANT_ID}" \
-H "Content-Type: application/json"
