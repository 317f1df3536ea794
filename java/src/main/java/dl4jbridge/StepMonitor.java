package dl4jbridge;

import dl4jbridge.fused.FusedRnnOutputLayer;
import java.util.List;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.layers.BaseOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.AllocationPolicy;
import org.nd4j.linalg.api.memory.enums.LearningPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Records loss and accuracy of a training segment on the way, before its update changes the parameters. */
final class StepMonitor extends BaseTrainingListener {
    /** Reused by every step, since memory outside of the Java heap is freed late. */
    private static final WorkspaceConfiguration WORKSPACE = WorkspaceConfiguration.builder()
            .policyLearning(LearningPolicy.FIRST_LOOP)
            .policyAllocation(AllocationPolicy.OVERALLOCATE)
            .overallocationLimit(0.1)
            .build();
    private INDArray labels;
    private double loss;
    private double accuracy;

    void expect(INDArray labels) {
        this.labels = labels;
    }

    double loss() {
        return loss;
    }

    double accuracy() {
        return accuracy;
    }

    @Override
    @SuppressWarnings("try")
    public void onForwardPass(Model model, List<INDArray> activations) {
        MultiLayerNetwork net = (MultiLayerNetwork) model;
        if (net.getOutputLayer() instanceof FusedRnnOutputLayer) {
            return;
        }
        if (!hasClasses(net)) {
            accuracy = Double.NaN;
            return;
        }
        // DL4J does not keep the output layer's activations of a training step.
        INDArray last = activations.get(activations.size() - 1);
        try (MemoryWorkspace ignored =
                Nd4j.getWorkspaceManager().getAndActivateWorkspace(WORKSPACE, "DL4J_BRIDGE_STEP_MONITOR")) {
            INDArray logits = rows(last).mmul(net.getOutputLayer().getParam("W"))
                    .addiRowVector(net.getOutputLayer().getParam("b"));
            INDArray hits = logits.argMax(1).eq(rows(labels).argMax(1));
            accuracy = hits.castTo(last.dataType()).meanNumber().doubleValue();
        }
    }

    @Override
    public void onBackwardPass(Model model) {
        Layer output = ((MultiLayerNetwork) model).getOutputLayer();
        if (output instanceof FusedRnnOutputLayer) {
            accuracy = ((FusedRnnOutputLayer) output).accuracy();
        }
        loss = model.score() - ((MultiLayerNetwork) model).calcRegularizationScore(true);
    }

    private static boolean hasClasses(MultiLayerNetwork net) {
        BaseOutputLayer output = (BaseOutputLayer) net.getOutputLayer().conf().getLayer();
        return output.getActivationFn() instanceof ActivationSoftmax;
    }

    /** [batch, size, time] in 'f' order as [batch * time, size]. */
    private static INDArray rows(INDArray a) {
        return a.permute(0, 2, 1).reshape('f', a.size(0) * a.size(2), a.size(1));
    }
}
