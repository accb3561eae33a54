curl -X POST "https://control.printprice.pro/api/admin/sync/jobs" \
-H "Authorization: Bearer ${PPOS_CONTROL_TOKEN}" \
-H "X-Upstream-Token: Bearer ${PREFLIGHT_JWT}" \
-H "Content-Type: application/json"
